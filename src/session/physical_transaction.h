// PhysicalTransaction: one BEGIN ... COMMIT on one connection, with its savepoints and hooks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "carrel/db/pool.h"
#include "session/hooks.h"
#include "session/persist.h"
#include "session/router.h"

namespace carrel::session {

// Lives on the stack of the call that began it; the scope only points to it. Nothing is borrowed or
// sent before the first statement.
class PhysicalTransaction {
 public:
  // `stop` outlives it, and is that of the innermost call at any time.
  PhysicalTransaction(const BeginOptions& options, Clock::Steady deadline,
                      const std::stop_token& stop);
  PhysicalTransaction(const PhysicalTransaction&) = delete;
  PhysicalTransaction& operator=(const PhysicalTransaction&) = delete;
  ~PhysicalTransaction();

  // Before each statement: the first one's distribution key is the transaction's, and another one
  // throws "shard_key_changed".
  void keep_to(std::uint64_t key);

  Result execute(const Resolved& statement, Leaves leaves, std::span<const Value> parameters);
  std::vector<Result> batch(const Destination& to, std::span<const BatchItem> items);
  // Commits along with the batch; commit() then has nothing left to do.
  std::vector<Result> batch_and_commit(const Destination& to, std::span<const BatchItem> items);
  std::int64_t load(const Destination& to, const BulkRows& rows);

  // Two-phase commit (two_phase.h): prepare() instead of commit(), and finish() once it is decided.
  [[nodiscard]] const Destination* destination() const noexcept { return destination_; }
  void record(const Statement& statement,
              std::span<const Value> parameters);  // on this destination
  void prepare(std::string_view name);
  // Returns whether the database has done it. Where there was nothing of the name, it has.
  bool finish(std::string_view name, Prepared end, Clock::Steady until,
              const Pause& pause) noexcept;
  // What has been found out about a commit() or prepare() in doubt.
  void settle(Outcome outcome) noexcept { outcome_ = outcome; }

  // Throws what the database said: in_doubt() or rolled back for certain.
  void commit();
  void roll_back() noexcept;
  // Rolled back until a COMMIT says otherwise.
  [[nodiscard]] Outcome outcome() const noexcept { return outcome_; }
  // The connection goes back to the pool; the hooks stay.
  void release() noexcept { lease_.release(); }

  // Savepoints, made at the first statement after them.
  void enter_savepoint();
  void leave_savepoint();                  // keeps what was done
  void roll_back_to_savepoint() noexcept;  // a failure dooms the whole transaction

  // Why the current level (the innermost savepoint, else the transaction) will roll back.
  enum class Doom : std::uint8_t { none, asked, by_participant };
  [[nodiscard]] Doom doom() const noexcept {
    return savepoints_.empty() ? doom_ : savepoints_.back().doom;
  }
  void doom(Doom why) noexcept;

  // For the extent of a call that joined with a deadline of its own.
  [[nodiscard]] Clock::Steady deadline() const noexcept { return deadline_; }
  void set_deadline(Clock::Steady deadline) noexcept;

  [[nodiscard]] Isolation isolation() const noexcept { return begin_.isolation; }
  [[nodiscard]] bool read_only() const noexcept { return begin_.access == Access::read_only; }
  [[nodiscard]] Hooks& hooks() noexcept { return hooks_; }

 private:
  struct Savepoint {
    Doom doom = Doom::none;
    std::size_t hooks_from = 0;
  };

  Connection& ready(const Destination& to, std::string_view statement);
  // Runs what ends in COMMIT and keeps its outcome.
  template <class F>
  auto committing(F&& send);
  [[nodiscard]] bool committed() const noexcept { return outcome_ == Outcome::committed; }
  void begin_on(const Destination& to);
  void make_savepoints();
  template <class F>
  auto guarded(const Destination& to, std::string_view statement, F&& send);

  const BeginOptions begin_;
  Clock::Steady deadline_;
  const std::stop_token& stop_;
  Pool::Lease lease_;
  const Destination* destination_ = nullptr;  // set by the first statement
  std::uint64_t key_ = 0;                     // and this with it
  Doom doom_ = Doom::none;
  std::vector<Savepoint> savepoints_;  // which most have none of
  std::size_t savepoints_made_ = 0;
  bool lost_ = false;  // the database ended the transaction by itself
  Outcome outcome_ = Outcome::rolled_back;
  Hooks hooks_;
};

}  // namespace carrel::session
