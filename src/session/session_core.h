// Session::Core: propagation, and where the current transaction is kept.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "carrel/scope/request_local.h"
#include "carrel/session/session.h"
#include "session/bound.h"
#include "session/physical_transaction.h"
#include "session/router.h"

namespace carrel {

namespace session {

[[noreturn]] void throw_rolled_back();

}  // namespace session

class Session::Core {
 public:
  explicit Core(SessionOptions options);

  void run(const TransactionOptions& options, Body body, void* closure);
  Result execute(const Statement& sql, std::span<const Value> parameters);
  Together together(const TransactionOptions& options,
                    std::span<const std::function<void()>> branches);
  Recovery recover(std::chrono::milliseconds wait_max);
  std::vector<Result> batch(std::span<const Batch::Entry> entries, std::span<const Value> values);
  std::int64_t load(std::string_view table, std::span<const std::string_view> columns,
                    std::span<const Value> values);

  [[nodiscard]] session::PhysicalTransaction& require_transaction();
  [[nodiscard]] session::Hooks& hooks_to_complete();
  [[nodiscard]] const session::Bound* find_bound() const noexcept { return bound_.find(); }

 private:
  using Bound = session::Bound;
  using PhysicalTransaction = session::PhysicalTransaction;

  void join(Bound& bound, PhysicalTransaction& current, const TransactionOptions& options,
            Body body, void* closure);
  void run_nested(Bound& bound, PhysicalTransaction& current, const TransactionOptions& options,
                  Body body, void* closure);
  void run_outside(Bound& bound, const TransactionOptions& options, Body body, void* closure);
  void run_new(Bound& bound, const TransactionOptions& options, Body body, void* closure);
  // Runs it again as `options` allow.
  template <class Attempt>
  std::invoke_result_t<Attempt&, Clock::Steady> retried(Bound& bound,
                                                        const TransactionOptions& options,
                                                        Attempt attempt);
  Together attempt_together(Bound& bound, const TransactionOptions& options, Clock::Steady deadline,
                            std::span<const std::function<void()>> branches);
  void run_branches(Bound& bound, const TransactionOptions& options, Clock::Steady deadline,
                    std::span<const std::function<void()>> branches,
                    std::deque<PhysicalTransaction>& open);
  void attempt(Bound& bound, const TransactionOptions& options, Clock::Steady deadline, Body body,
               void* closure);
  void run_to_end(Bound& bound, PhysicalTransaction& transaction, const TransactionOptions& options,
                  Body body, void* closure);
  void conclude(PhysicalTransaction& transaction, Verdict verdict);
  void complete(Bound& bound, PhysicalTransaction& transaction);
  Result execute_alone(const Bound& bound, const session::Resolved& statement, Leaves leaves,
                       std::span<const Value> parameters);
  // Of a transaction that a call begins: read-only too where a call around is.
  [[nodiscard]] static BeginOptions begin_options(const Bound& bound,
                                                  const TransactionOptions& options) noexcept;
  // The earliest of the scope's, of those around, and of the call's own.
  [[nodiscard]] static Clock::Steady deadline_of(const Bound& bound,
                                                 const TransactionOptions& options);
  [[nodiscard]] std::chrono::nanoseconds pause_before(const Retry& retry, int attempt) noexcept;
  [[nodiscard]] session::Pause pause_within();

  const SessionOptions options_;
  session::Router router_;
  RequestLocal<Bound, Flow::none> bound_{"transaction"};
  std::atomic<std::uint64_t> jitter_state_{0x9e3779b97f4a7c15};
};

}  // namespace carrel
