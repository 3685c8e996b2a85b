// MariadbConnection: one libmariadb connection behind the Connection contract.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "carrel/db/connection.h"
#include "carrel/drivers/mariadb.h"
#include "db/statement_cache.h"
#include "drivers/mariadb/mariadb_control.h"
#include "drivers/mariadb/mariadb_link.h"
#include "drivers/mariadb/mariadb_statement.h"
#include "drivers/remote/canceller.h"
#include "drivers/remote/leftovers.h"
#include "drivers/remote/place_record.h"

namespace carrel::mariadb {

class MariadbConnection final : public Connection {
 public:
  MariadbConnection(std::shared_ptr<const MariadbOptions> options, std::shared_ptr<Control> control,
                    Clock::Steady deadline);

  void cancel() noexcept override { canceller_.request(remote::CancelReason::asked); }
  [[nodiscard]] bool in_transaction() const noexcept override {
    return !broken() && state_ != State::none;
  }
  [[nodiscard]] bool broken() const noexcept override { return link_.lost(); }
  [[nodiscard]] bool reset() noexcept override;
  [[nodiscard]] bool validate() noexcept override;
  [[nodiscard]] std::uint64_t round_trips() const noexcept override { return link_.round_trips(); }

 protected:
  Result do_execute(const Statement& statement, std::span<const Value> parameters) override;
  std::int64_t do_load(const BulkRows& rows) override;
  void do_begin(const BeginOptions& options) override;
  void do_commit() override;
  void do_rollback() noexcept override;
  void do_savepoint_command(std::string_view sql) override;
  void do_set_place(const Place& place) override;
  [[nodiscard]] Clock::Steady upkeep_deadline() const noexcept override;

 private:
  class Run;
  enum class State : std::uint8_t {
    none,
    announced,  // BEGIN has not been sent yet
    open,
    spoiled  // rolled back by a conflict; only rollback() leads out
  };

  // One or several commands of our own, as one text.
  struct Commands {
    std::string sql;
    std::size_t count = 0;
  };
  [[nodiscard]] static Commands begin_for(const BeginOptions& options);
  [[nodiscard]] Commands place_commands() const;

  [[nodiscard]] PreparedStatement& known(const Statement& statement);
  [[nodiscard]] static PreparedStatement read(std::string_view sql);
  void prepare(PreparedStatement& statement, std::string_view sql, Run& run);
  void require_allowed(const PreparedStatement& statement, std::string_view sql,
                       std::size_t values) const;
  void require_unspoiled(std::string_view sql) const;
  // What has to be sent before the next statement: its place, and BEGIN.
  [[nodiscard]] bool opens() const noexcept {
    return state_ == State::announced || place_.pending();
  }
  [[nodiscard]] std::string opening(std::string_view statement) const;
  void send_opening();
  [[nodiscard]] std::optional<Result> run_with_opening(PreparedStatement& statement, Run& run,
                                                       std::string_view sql);
  void note_opened(std::size_t done);
  void leave_place();
  void require_finished(const PreparedStatement& statement, Run& run, std::string_view sql);
  [[nodiscard]] std::optional<Result> run_bound(PreparedStatement& statement,
                                                std::span<const Value> parameters, Run& run,
                                                std::string_view sql);
  [[nodiscard]] std::optional<Result> run_prepared(PreparedStatement& statement, Run& run,
                                                   std::string_view sql);
  void forget(std::string_view sql, PreparedStatement& statement, Run& run);
  void spoil();
  void note_state(std::string_view sql);
  struct RowRange {
    std::size_t first;
    std::size_t count;
  };
  [[nodiscard]] std::int64_t load_in_chunks(const BulkRows& rows, std::size_t most);
  [[nodiscard]] std::int64_t load_chunk(PreparedStatement& loading, const BulkRows& rows,
                                        RowRange range, Run& run);

  [[noreturn]] void fail(const Trouble& trouble, std::string_view sql,
                         const remote::StatementText& text, Run& run);
  [[noreturn]] void throw_lost(const Trouble& trouble, std::string_view sql, bool in_doubt,
                               bool timed_out);
  [[noreturn]] static void throw_altered(std::string_view sql, bool in_doubt);
  [[noreturn]] static void throw_cancelled(remote::CancelReason reason, std::string_view sql);
  void command(const std::string& sql);
  [[nodiscard]] Leaves left_behind() const noexcept;
  [[nodiscard]] bool has_strayed() const noexcept;
  [[nodiscard]] bool release_locks(Patience& patience);
  [[nodiscard]] bool configure(Patience& patience, std::string_view role_command);

  std::shared_ptr<const MariadbOptions> options_;
  Link link_;
  remote::Canceller canceller_;
  db::StatementCache<PreparedStatement> known_;
  std::optional<PreparedStatement> unkept_;  // the last one, where none are kept
  std::string role_;                         // as the session started; empty: none
  remote::PlaceRecord place_;
  Commands begin_;
  State state_ = State::none;
  remote::Leftovers left_;
};

}  // namespace carrel::mariadb
