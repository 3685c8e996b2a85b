// Pipeline: several commands that travel together and are answered in one round trip.
//
//   pipeline.add_command("begin");
//   const auto step = pipeline.add_execute("c7", parameters);
//   auto outcome = pipeline.run({.deadline = deadline, .grace = 250ms});
//   use(outcome.answers[step]);
//
// After the first error the server skips the rest. Outside BEGIN and COMMIT, the commands of one
// run are one transaction, which is committed by the end of the run.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "drivers/postgres/postgres_link.h"
#include "drivers/postgres/postgres_parameters.h"
#include "drivers/remote/canceller.h"

namespace carrel::postgres {

using remote::Canceller;
using remote::CancelReason;

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

struct Outcome {
  static constexpr std::size_t kNone = SIZE_MAX;

  std::vector<ResultPtr> answers;  // one a step; nothing for a step that failed or was skipped
  std::size_t failed = kNone;      // the step, or the number of steps for what followed them
  ResultPtr failure;
  Ending ending = Ending::complete;
  CancelReason cancelled = CancelReason::none;
  bool usable = true;  // whether the connection may send anything more
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
  [[nodiscard]] std::uint64_t round_trips() const noexcept { return round_trips_; }
  void count_round_trip() noexcept { ++round_trips_; }  // one made without a pipeline

 private:
  class Patience;

  std::size_t added(int sent) noexcept;
  void collect(Outcome& outcome, Patience& patience);
  [[nodiscard]] bool take_answers(Outcome& outcome, std::size_t step, Patience& patience);
  void settle(Outcome& outcome, std::chrono::milliseconds grace);
  [[nodiscard]] bool drain(Clock::Steady limit);

  Link& link_;
  Canceller& canceller_;
  std::size_t steps_ = 0;
  bool refused_ = false;  // libpq could not queue a step
  std::uint64_t round_trips_ = 0;
};

}  // namespace carrel::postgres
