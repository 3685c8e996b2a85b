// Pipeline: commands sent to the server, one by itself or several that travel together and are
// answered in one round trip.
//
//   auto outcome = pipeline.execute("c7", parameters, {.deadline = deadline, .grace = 250ms});
//
//   pipeline.add_command("begin");
//   const auto step = pipeline.add_execute("c7", parameters);
//   outcome = pipeline.run({.deadline = deadline, .grace = 250ms});
//   use(outcome.answers[step]);
//
// One by itself goes without libpq's pipeline mode, which costs a result, a queue entry and some
// searching for every step: adding enters it, and run() leaves it.
//
// After the first error the server skips the rest. Outside BEGIN and COMMIT, the commands of one
// run are one transaction, which is committed by the end of the run.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "drivers/postgres/postgres_link.h"
#include "drivers/postgres/postgres_parameters.h"
#include "drivers/remote/canceller.h"

namespace carrel::postgres {

using remote::Canceller;
using remote::CancelReason;
using remote::CancelTarget;

enum class OnDeadline {
  cancel,  // and wait a little for the statement's end, so that the connection stays of use
  leave    // a COMMIT: the answer is not waited for, nobody knows
};

struct RunOptions {
  Clock::Steady deadline;
  std::chrono::milliseconds grace;
  OnDeadline on_deadline = OnDeadline::cancel;
};

enum class Ending { complete, timed_out, lost };

// The usual two take no memory of their own.
class Answers {
 public:
  explicit Answers(std::size_t size = 1)
      : size_(size), many_(size > kFew ? std::make_unique<ResultPtr[]>(size) : nullptr) {}
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] ResultPtr& operator[](std::size_t step) noexcept {
    return many_ ? many_[step] : few_[step];
  }
  [[nodiscard]] const ResultPtr& operator[](std::size_t step) const noexcept {
    return many_ ? many_[step] : few_[step];
  }

 private:
  static constexpr std::size_t kFew = 2;  // BEGIN and a statement
  std::size_t size_;
  std::array<ResultPtr, kFew> few_;
  std::unique_ptr<ResultPtr[]> many_;
};

struct Outcome {
  static constexpr std::size_t kNone = SIZE_MAX;

  Answers answers;             // one a step; nothing for a step that failed or was skipped
  std::size_t failed = kNone;  // the step, or the number of steps for what followed them
  ResultPtr failure;
  Ending ending = Ending::complete;
  CancelReason cancelled = CancelReason::none;
  bool usable = true;         // whether the connection may send anything more
  bool unreplicated = false;  // a commit in it has been made here, but did not wait for replicas
};

class Pipeline {
 public:
  Pipeline(Link& link, Canceller& canceller) noexcept : link_(link), canceller_(canceller) {}

  // Each returns the number of its step in the next run.
  std::size_t add_command(const std::string& sql);
  std::size_t add_prepare(const std::string& name, const std::string& sql, const Parameters& like);
  std::size_t add_execute(const std::string& name, const Parameters& parameters);
  std::size_t add_direct(const std::string& sql, const Parameters& parameters);

  [[nodiscard]] Outcome run(const RunOptions& options);

  // One by itself, as step 0. A command has no parameters and one statement.
  [[nodiscard]] Outcome execute(const std::string& name, const Parameters& parameters,
                                const RunOptions& options);
  [[nodiscard]] Outcome command(const char* sql, const RunOptions& options);

  [[nodiscard]] std::uint64_t round_trips() const noexcept { return round_trips_; }
  void count_round_trip() noexcept { ++round_trips_; }  // one made without a pipeline

 private:
  class Patience;

  void enter() noexcept;
  std::size_t added(int sent) noexcept;
  template <class Send>
  [[nodiscard]] Outcome alone(const RunOptions& options, const Send& send);
  [[nodiscard]] bool flush(Outcome& outcome, Patience& patience);
  void collect(Outcome& outcome, Patience& patience);
  [[nodiscard]] bool take_answers(Outcome& outcome, std::size_t step, Patience& patience);
  void take_answers_alone(Outcome& outcome, Patience& patience);
  [[nodiscard]] Waited wait_for_result(Patience& patience) {
    return link_.has_result() ? Waited::ready : wait_while_busy(patience);
  }
  [[nodiscard]] Waited wait_while_busy(Patience& patience);
  [[nodiscard]] bool take(Outcome& outcome, std::size_t step, ResultPtr result);
  void settle(Outcome& outcome, std::chrono::milliseconds grace);
  [[nodiscard]] bool drain(Clock::Steady limit);

  Link& link_;
  Canceller& canceller_;
  std::size_t steps_ = 0;
  bool refused_ = false;  // libpq could not queue a step
  std::uint64_t round_trips_ = 0;
};

}  // namespace carrel::postgres
