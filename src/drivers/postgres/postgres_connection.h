// PostgresConnection: one libpq connection behind the Connection contract.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/connection.h"
#include "carrel/drivers/postgres.h"
#include "db/statement_cache.h"
#include "drivers/postgres/postgres_begin.h"
#include "drivers/postgres/postgres_doubt.h"
#include "drivers/postgres/postgres_link.h"
#include "drivers/postgres/postgres_parameters.h"
#include "drivers/postgres/postgres_pipeline.h"
#include "drivers/postgres/postgres_reported.h"
#include "drivers/postgres/postgres_statement.h"
#include "drivers/remote/leftovers.h"
#include "drivers/remote/place_record.h"

namespace carrel::postgres {

class PostgresConnection final : public Connection {
 public:
  PostgresConnection(std::shared_ptr<const PostgresOptions> options, std::shared_ptr<Askers> askers,
                     Clock::Steady deadline);

  void cancel() noexcept override { canceller_.request(CancelReason::asked); }
  [[nodiscard]] bool in_transaction() const noexcept override;
  [[nodiscard]] bool broken() const noexcept override { return broken_ || link_.lost(); }
  [[nodiscard]] bool reset() noexcept override;
  [[nodiscard]] bool validate() noexcept override;
  [[nodiscard]] std::uint64_t round_trips() const noexcept override {
    return pipeline_.round_trips();
  }
  [[nodiscard]] std::weak_ptr<const void> remains() const noexcept override {
    return canceller_.remains();
  }

 protected:
  Result do_execute(const Statement& statement, std::span<const Value> parameters) override;
  std::vector<Result> do_batch(std::span<const BatchItem> items) override;
  std::vector<Result> do_batch_and_commit(std::span<const BatchItem> items) override;
  std::int64_t do_load(const BulkRows& rows) override;
  void do_begin(const BeginOptions& options) override;
  void do_commit() override;
  void do_rollback() noexcept override;
  void do_set_place(const Place& place) override;
  void do_prepare(std::string_view name) override;
  bool do_finish_prepared(std::string_view name, Prepared end) override;
  void do_savepoint_command(std::string_view sql) override;
  [[nodiscard]] Clock::Steady upkeep_deadline() const noexcept override;

 private:
  class Copy;

  enum class Then { nothing, commit };

  // One statement of a run: what was prepared for it, and which steps are its own.
  struct Planned {
    std::string_view sql;
    std::shared_ptr<Variant> variant;  // none where nothing is prepared
    std::size_t prepare = Outcome::kNone;
    std::size_t execute = 0;
  };
  struct Plan {
    std::size_t first_of_place = Outcome::kNone;
    std::size_t place = 0;  // steps that it takes
    std::size_t prepare_begin = Outcome::kNone;
    std::size_t begin = Outcome::kNone;
    std::size_t number = Outcome::kNone;
    std::size_t commit = Outcome::kNone;
    std::size_t first_discarded = 0;
    std::size_t discarded = 0;
    std::vector<Planned> statements;
    const Begin* begun = nullptr;
    bool autocommit = false;
    bool only_reads = true;
    bool only_queries = true;
    bool drops_prepared = false;
  };

  // A run that succeeded.
  struct Ran {
    Plan plan;
    Outcome outcome;
  };

  [[nodiscard]] Variant* ready_alone(const BatchItem& item);
  void require_repeatable(const BatchItem& item, const Outcome& outcome, bool autocommit);
  [[nodiscard]] Ran run(std::span<const BatchItem> items, Then then);
  [[nodiscard]] static Result result_of(const Ran& ran, const Planned& statement);
  [[nodiscard]] std::vector<Result> results_of(const Ran& ran);
  [[nodiscard]] Plan plan(std::span<const BatchItem> items, Then then);
  void look_up(Plan& plan, const BatchItem& item);
  void note(Plan& plan, const BatchItem& item, const remote::StatementText& text);
  [[nodiscard]] std::shared_ptr<Variant> variant_for(KnownStatement& known,
                                                     std::span<const Value> values);
  [[nodiscard]] std::vector<std::string> place_commands() const;
  void queue_place(Plan& plan);
  void send_place();
  void settle_place(bool committed);
  void leave_place();
  [[nodiscard]] bool answers() noexcept;
  [[nodiscard]] static bool is_commit(const Outcome& outcome, std::size_t step);
  [[nodiscard]] static bool has_committed(const Plan& plan, const Outcome& outcome);
  void queue_opening(Plan& plan);
  [[nodiscard]] std::string load_opening();
  [[nodiscard]] static bool means_no_role(std::string_view sqlstate) noexcept;
  [[noreturn]] void throw_no_place(const Outcome& outcome);
  void queue_begin(Plan& plan);
  void queue_number(Plan& plan);
  void learn_number(const Plan& plan, const Outcome& outcome);
  void queue_discarded(Plan& plan);
  void queue(Planned& planned, std::span<const Value> values);
  [[nodiscard]] RunOptions by_deadline(OnDeadline on_deadline) const noexcept;
  [[nodiscard]] RunOptions for_upkeep() const noexcept;
  [[nodiscard]] Leaves left_behind();
  void learn_begin(const Plan& plan, const Outcome& outcome);
  void learn(const Plan& plan, const Outcome& outcome);
  [[nodiscard]] bool prepare_again(const Plan& plan, const Outcome& outcome);
  void forget_statements(const Plan& plan);

  void require_usable(std::string_view sql) const {
    if (broken()) [[unlikely]]
      throw_given_up(sql);
  }
  [[noreturn]] static void throw_given_up(std::string_view sql);
  void require_success(const Plan& plan, const Outcome& outcome);
  void require_committed(const Outcome& outcome, std::size_t step);
  void require_replicated(const Outcome& outcome);
  // Returns where the COMMIT that was lost turned out to have happened.
  void settle_lost(const Plan& plan, const Outcome& outcome);
  [[nodiscard]] bool resolves() const noexcept { return options_->resolve_max.count() > 0; }
  [[noreturn]] void throw_lost(const Plan& plan, const Outcome& outcome, Fate fate);
  [[noreturn]] void throw_failure(const Outcome& outcome, std::string_view sql);

  std::shared_ptr<const PostgresOptions> options_;
  std::shared_ptr<Askers> askers_;
  Link link_;
  Canceller canceller_;
  Pipeline pipeline_;
  Discarded discarded_;
  db::StatementCache<KnownStatement> known_;
  remote::PlaceRecord place_;
  Parameters parameters_;
  const Begin* begin_ = nullptr;  // BEGIN that has not been sent yet
  std::bitset<Begin::kCount> begins_on_server_;
  bool writes_ = false;  // the transaction may
  std::string run_;      // of the server, where doubts are resolved
  std::string number_;   // of the transaction, once known
  std::uint64_t statements_made_ = 0;
  remote::Leftovers left_;
  Reported reported_;  // when the session began
  bool broken_ = false;
};

}  // namespace carrel::postgres
