// StubDriver: a database that only keeps a diary, for fast tests of pools and sessions.
//
//   StubDriver driver;
//   driver.at(StubPoint::commit, [] { throw lost_at_commit(); });     // once, at the next COMMIT
//   ...
//   EXPECT_EQ(driver.diary(), (Diary{"1 begin", "1 insert", "1 commit"}));
//
// Entries begin with the number of the connection. Actions may throw (a fault), block (a delay), or
// look around; they run in the thread that met the point.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/db/connection.h"
#include "carrel/db/sql_error.h"

namespace carrel::test {

enum class StubPoint {
  connect,
  begin,
  execute,
  savepoint,
  commit,
  rollback,
  reset,
  validate,
  close,
  ask_limit
};

using Diary = std::vector<std::string>;

class StubDriver final : public Driver {
 public:
  explicit StubDriver(Traits traits = {.name = "stub", .remote = true, .pool_size_default = 2})
      : traits_(traits) {}

  [[nodiscard]] const Traits& traits() const noexcept override { return traits_; }
  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions& options) override;
  [[nodiscard]] std::optional<std::size_t> connections_max() override {
    meet(StubPoint::ask_limit, kNoDeadline);
    return connections_max_;
  }
  void limit_connections(std::size_t max) { connections_max_ = max; }

  // `action` runs the next `times` times that any connection meets `point`.
  void at(StubPoint point, std::function<void()> action, int times = 1);
  // What remains of every connection that is closed from now on, for as long as the caller has it.
  void leave_behind(std::weak_ptr<const void> remains) { remains_ = std::move(remains); }
  // Every statement from now on answers this.
  void answer(std::int64_t number) { answer_.store(number); }

  [[nodiscard]] Diary diary() const;
  void forget_diary();
  // The deadline that held when a connection met `point` last.
  [[nodiscard]] Clock::Steady deadline_at(StubPoint point) const;
  // Of all connections together, as a database would need them that takes BEGIN along with the
  // first statement, a batch at once, and COMMIT along with a batch.
  [[nodiscard]] std::uint64_t round_trips() const noexcept { return round_trips_.load(); }
  [[nodiscard]] int open() const noexcept { return open_.load(); }
  [[nodiscard]] int open_max() const noexcept { return open_max_.load(); }

 private:
  friend class StubConnection;
  static constexpr std::size_t kPoints = static_cast<std::size_t>(StubPoint::ask_limit) + 1;
  struct Action {
    std::function<void()> run;
    int times;
  };

  void meet(StubPoint point, Clock::Steady deadline);
  void write(int connection, const std::string& entry);
  void opened();

  const Traits traits_;
  std::optional<std::size_t> connections_max_;
  std::weak_ptr<const void> remains_;
  std::atomic<int> last_number_{0};
  std::atomic<int> open_{0};
  std::atomic<int> open_max_{0};
  std::atomic<std::int64_t> answer_{0};
  std::atomic<std::uint64_t> round_trips_{0};
  mutable std::mutex mutex_;  // all below are guarded by mutex_
  std::array<Clock::Steady, kPoints> deadlines_{};
  std::array<std::deque<Action>, kPoints> actions_;
  Diary diary_;
};

class StubConnection final : public Connection {
 public:
  // As a procedure may that commits.
  static constexpr std::string_view kEndsTransaction = "call something";

  StubConnection(StubDriver& driver, int number, Access access)
      : driver_(driver), number_(number), access_(access) {}
  ~StubConnection() override {
    static_cast<void>(met(StubPoint::close));
    driver_.open_.fetch_sub(1);
  }

  void cancel() noexcept override {}
  [[nodiscard]] bool in_transaction() const noexcept override { return in_transaction_; }
  [[nodiscard]] bool broken() const noexcept override { return broken_; }
  [[nodiscard]] bool reset() noexcept override {
    if (in_transaction_) rollback();
    return !broken_ && met(StubPoint::reset);
  }
  [[nodiscard]] bool validate() noexcept override { return met(StubPoint::validate); }
  [[nodiscard]] std::weak_ptr<const void> remains() const noexcept override {
    return driver_.remains_;
  }
  [[nodiscard]] int number() const noexcept { return number_; }
  void break_now() noexcept { broken_ = true; }

 protected:
  Result do_execute(const Statement& statement, std::span<const Value>) override {
    ++driver_.round_trips_;
    return answer_to(statement);
  }
  std::vector<Result> do_batch(std::span<const BatchItem> items) override {
    ++driver_.round_trips_;
    std::vector<Result> results;
    for (const auto& item : items) results.push_back(answer_to(item.statement));
    return results;
  }
  std::vector<Result> do_batch_and_commit(std::span<const BatchItem> items) override {
    auto results = do_batch(items);
    end_by_commit();
    return results;
  }
  void do_begin(const BeginOptions& options) override {
    constexpr std::array kIsolations = {"", " read committed", " repeatable read", " serializable"};
    driver_.write(number_, std::string("begin") +
                               kIsolations.at(static_cast<std::size_t>(options.isolation)) +
                               (options.access == Access::read_only ? " read only" : "") +
                               (options.deferrable ? " deferrable" : ""));
    driver_.meet(StubPoint::begin, deadline());
    in_transaction_ = true;
  }
  void do_commit() override {
    ++driver_.round_trips_;
    end_by_commit();
  }
  void do_rollback() noexcept override {
    if (!in_transaction_) return;
    in_transaction_ = false;
    ++driver_.round_trips_;
    driver_.write(number_, "rollback");
    broken_ = !met(StubPoint::rollback);
  }
  void do_set_place(const Place& place) override {
    driver_.write(number_, "place " + place.role + "/" + place.schema);
  }
  void do_savepoint_command(std::string_view sql) override {
    ++driver_.round_trips_;
    driver_.write(number_, std::string(sql));
    try {
      driver_.meet(StubPoint::savepoint, deadline());
    } catch (const SqlError& error) {
      if (error.code() == "sql.transaction_lost") in_transaction_ = false;
      throw;
    }
  }

 private:
  Result answer_to(const Statement& statement) {
    driver_.write(number_, std::string(statement.text));
    try {
      driver_.meet(StubPoint::execute, deadline());
    } catch (const SqlError& error) {
      if (error.code() == "sql.connection_lost" || error.code() == "sql.transaction_lost")
        in_transaction_ = false;
      broken_ = error.code() == "sql.connection_lost";
      throw;
    }
    if (statement.text == kEndsTransaction) in_transaction_ = false;
    if (access_ == Access::read_only && !statement.text.starts_with("select"))
      throw SqlError("sql.read_only", {.message = "a reader", .statement = statement.text});
    static const auto columns =
        std::make_shared<const Result::Columns>(Result::Columns{"connection", "answer"});
    Result::Builder row(columns);
    row.add_integer(number_);
    row.add_integer(driver_.answer_.load());
    return row.finish(1);
  }
  void end_by_commit() {
    driver_.write(number_, "commit");
    in_transaction_ = false;
    try {
      driver_.meet(StubPoint::commit, deadline());
    } catch (const SqlError& error) {
      broken_ = error.in_doubt();
      throw;
    }
  }
  bool met(StubPoint point) noexcept {
    try {
      driver_.meet(point, deadline());
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  StubDriver& driver_;
  const int number_;
  const Access access_;
  bool in_transaction_ = false;
  bool broken_ = false;
};

inline std::unique_ptr<Connection> StubDriver::connect(const ConnectOptions& options) {
  meet(StubPoint::connect, options.deadline);
  opened();
  return std::make_unique<StubConnection>(*this, last_number_.fetch_add(1) + 1, options.access);
}

inline void StubDriver::opened() {
  const int now = open_.fetch_add(1) + 1;
  int seen = open_max_.load();
  while (seen < now && !open_max_.compare_exchange_weak(seen, now)) {
  }
}

inline void StubDriver::at(StubPoint point, std::function<void()> action, int times) {
  const std::scoped_lock lock(mutex_);
  actions_[static_cast<std::size_t>(point)].push_back({std::move(action), times});
}

inline Clock::Steady StubDriver::deadline_at(StubPoint point) const {
  const std::scoped_lock lock(mutex_);
  return deadlines_[static_cast<std::size_t>(point)];
}

inline void StubDriver::meet(StubPoint point, Clock::Steady deadline) {
  std::function<void()> run;
  {
    const std::scoped_lock lock(mutex_);
    deadlines_[static_cast<std::size_t>(point)] = deadline;
    auto& actions = actions_[static_cast<std::size_t>(point)];
    if (actions.empty()) return;
    run = actions.front().run;
    if (--actions.front().times == 0) actions.pop_front();
  }
  run();
}

inline void StubDriver::write(int connection, const std::string& entry) {
  const std::scoped_lock lock(mutex_);
  diary_.push_back(std::to_string(connection) + " " + entry);
}

inline Diary StubDriver::diary() const {
  const std::scoped_lock lock(mutex_);
  return diary_;
}

inline void StubDriver::forget_diary() {
  const std::scoped_lock lock(mutex_);
  diary_.clear();
}

// Faults that a database may show.
inline SqlError conflict() {
  return {"sql.serialization_failure", {.message = "lost", .traits = {.retryable = true}}};
}
inline SqlError lost_at_commit() {
  return {"sql.connection_lost", {.message = "gone at COMMIT", .traits = {.in_doubt = true}}};
}
inline SqlError refused_at_commit() {
  return {"sql.rolled_back", {.message = "no"}};
}
inline SqlError transaction_gone() {
  return {"sql.transaction_lost", {.message = "gone"}};
}
inline SqlError server_away() {
  return {"sql.cannot_connect", {.message = "nobody there", .traits = {.retryable = true}}};
}

}  // namespace carrel::test
