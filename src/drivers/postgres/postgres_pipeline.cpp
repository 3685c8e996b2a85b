#include "drivers/postgres/postgres_pipeline.h"

#include <utility>

#include "base/later.h"

namespace carrel::postgres {
namespace {

constexpr int kTextResults = 0;

}  // namespace

// Waits until the deadline and, once it has passed, a little longer.
class Pipeline::Patience {
 public:
  Patience(const RunOptions& options, Canceller& canceller) noexcept
      : options_(options), canceller_(canceller), limit_(options.deadline) {}

  // An answer to COMMIT that is there is taken, however late.
  [[nodiscard]] remote::OnceLate once_late() const noexcept {
    return options_.on_deadline == OnDeadline::leave ? remote::OnceLate::what_is_there
                                                     : remote::OnceLate::timed_out;
  }

  template <class Wait>
  Waited until_over(const Wait& wait) {
    const auto waited = wait(limit_);
    if (waited != Waited::timed_out || over_ || options_.on_deadline == OnDeadline::leave)
      return waited;
    over_ = true;
    canceller_.request(CancelReason::deadline);
    limit_ = base::from_now(options_.grace);
    return wait(limit_);
  }

 private:
  const RunOptions& options_;
  Canceller& canceller_;
  Clock::Steady limit_;
  bool over_ = false;
};

// Before the first step: from here on libpq keeps commands and answers in a queue.
void Pipeline::enter() noexcept {
  if (steps_ == 0 && PQenterPipelineMode(link_.get()) != 1) refused_ = true;
}

std::size_t Pipeline::added(int sent) noexcept {
  if (sent != 1) refused_ = true;
  return steps_++;
}

std::size_t Pipeline::add_command(const std::string& sql) {
  enter();
  return added(PQsendQueryParams(link_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                                 kTextResults));
}

std::size_t Pipeline::add_prepare(const std::string& name, const std::string& sql,
                                  const Parameters& like) {
  enter();
  return added(PQsendPrepare(link_.get(), name.c_str(), sql.c_str(), like.count(), like.types()));
}

std::size_t Pipeline::add_execute(const std::string& name, const Parameters& parameters) {
  enter();
  return added(PQsendQueryPrepared(link_.get(), name.c_str(), parameters.count(),
                                   parameters.values(), parameters.lengths(), parameters.formats(),
                                   kTextResults));
}

std::size_t Pipeline::add_direct(const std::string& sql, const Parameters& parameters) {
  enter();
  return added(PQsendQueryParams(link_.get(), sql.c_str(), parameters.count(), parameters.types(),
                                 parameters.values(), parameters.lengths(), parameters.formats(),
                                 kTextResults));
}

Outcome Pipeline::run(const RunOptions& options) {
  enter();  // nothing may have been added: a sign of life
  Outcome outcome{.answers = Answers(std::exchange(steps_, 0)), .failure = nullptr};
  canceller_.statement_begins();
  if (std::exchange(refused_, false) || PQpipelineSync(link_.get()) != 1) {
    outcome.ending = Ending::lost;
  } else {
    ++round_trips_;
    Patience patience(options, canceller_);
    collect(outcome, patience);
  }
  settle(outcome, options.grace);
  if (outcome.usable) outcome.usable = PQexitPipelineMode(link_.get()) == 1;
  return outcome;
}

Outcome Pipeline::execute(const std::string& name, const Parameters& parameters,
                          const RunOptions& options) {
  return alone(options, [&] {
    return PQsendQueryPrepared(link_.get(), name.c_str(), parameters.count(), parameters.values(),
                               parameters.lengths(), parameters.formats(), kTextResults);
  });
}

// By the simple protocol, which is one message there and two back.
Outcome Pipeline::command(const char* sql, const RunOptions& options) {
  return alone(options, [&] { return PQsendQuery(link_.get(), sql); });
}

template <class Send>
Outcome Pipeline::alone(const RunOptions& options, const Send& send) {
  Outcome outcome;
  canceller_.statement_begins();
  if (send() != 1) {
    outcome.ending = Ending::lost;
  } else {
    ++round_trips_;
    Patience patience(options, canceller_);
    if (flush(outcome, patience)) take_answers_alone(outcome, patience);
  }
  settle(outcome, options.grace);
  return outcome;
}

// A connection lost while sending may still hold the server's last words: only time ends the run.
bool Pipeline::flush(Outcome& outcome, Patience& patience) {
  const auto flushed =
      patience.until_over([this](Clock::Steady limit) { return link_.flush(limit); });
  if (flushed == Waited::timed_out) outcome.ending = Ending::timed_out;
  return flushed != Waited::timed_out;
}

void Pipeline::collect(Outcome& outcome, Patience& patience) {
  if (!flush(outcome, patience)) return;
  for (std::size_t step = 0; step <= outcome.answers.size(); ++step) {
    if (!take_answers(outcome, step, patience)) return;
  }
}

// Lost: a broken socket that libpq has not noticed, and would make PQgetResult wait for.
Waited Pipeline::wait_while_busy(Patience& patience) {
  const auto waited = patience.until_over(
      [&](Clock::Steady limit) { return link_.wait_while_busy(limit, patience.once_late()); });
  if (waited == Waited::lost && PQstatus(link_.get()) != CONNECTION_OK) return Waited::ready;
  return waited;
}

// Takes all results of one step, or the one of the sync that follows the last. False ends the run.
bool Pipeline::take_answers(Outcome& outcome, std::size_t step, Patience& patience) {
  for (;;) {
    const auto waited = wait_for_result(patience);
    if (waited == Waited::timed_out) {
      outcome.ending = Ending::timed_out;
      return false;
    }
    const bool unreadable = waited == Waited::lost;
    ResultPtr result(unreadable ? nullptr : PQgetResult(link_.get()));
    if (!result) {
      if (step < outcome.answers.size() && !unreadable) return true;
      // An error may come before the sync itself, when what ran outside a transaction is committed.
      if (outcome.failed == outcome.answers.size() && !unreadable && !link_.lost()) continue;
      outcome.ending = Ending::lost;
      return false;
    }
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) {
      if (step < outcome.answers.size()) outcome.ending = Ending::lost;  // not ours: out of step
      return false;
    }
    if (!take(outcome, step, std::move(result))) return false;
  }
}

// The same for one by itself: its results, and then nothing once the server is ready for more.
void Pipeline::take_answers_alone(Outcome& outcome, Patience& patience) {
  for (;;) {
    const auto waited = wait_for_result(patience);
    if (waited == Waited::timed_out) {
      outcome.ending = Ending::timed_out;
      return;
    }
    ResultPtr result(waited == Waited::lost ? nullptr : PQgetResult(link_.get()));
    if (!result) {
      if (waited == Waited::lost || link_.lost()) outcome.ending = Ending::lost;
      return;
    }
    // An error after the answer: what ran outside a transaction could not be committed.
    const std::size_t step = outcome.answers[0] ? 1 : 0;
    if (!take(outcome, step, std::move(result))) return;
  }
}

// Keeps what one result says. False: the run ends here.
bool Pipeline::take(Outcome& outcome, std::size_t step, ResultPtr result) {
  switch (PQresultStatus(result.get())) {
    case PGRES_PIPELINE_ABORTED:
      return true;
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
      if (outcome.failed == Outcome::kNone && !sqlstate_of(result.get()).empty()) {
        outcome.failed = step;
        outcome.failure = std::move(result);
      }
      if (!link_.lost() && PQstatus(link_.get()) == CONNECTION_OK) return true;
      outcome.ending = Ending::lost;
      return false;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      outcome.ending = Ending::lost;  // nobody asked for it, and it would never end
      return false;
    default:
      if (step < outcome.answers.size()) outcome.answers[step] = std::move(result);
      return true;
  }
}

// Makes sure that a cancel request hits nothing that comes later.
void Pipeline::settle(Outcome& outcome, std::chrono::milliseconds grace) {
  const bool complete = outcome.ending == Ending::complete;
  const auto aftermath = canceller_.statement_ends(grace, complete);
  outcome.cancelled = aftermath.reason;
  outcome.usable = complete && aftermath.settled;
  if (outcome.usable && aftermath.reason != CancelReason::none)
    outcome.usable = drain(aftermath.limit);
  outcome.unreplicated = link_.take_unreplicated();
}

// The signal that may still be on its way is dropped by a server that reads its next command.
bool Pipeline::drain(Clock::Steady limit) {
  ++round_trips_;
  if (PQenterPipelineMode(link_.get()) != 1 || PQpipelineSync(link_.get()) != 1 ||
      link_.flush(limit) != Waited::ready || link_.wait_for_result(limit) != Waited::ready)
    return false;
  const ResultPtr result(PQgetResult(link_.get()));
  return result && PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC &&
         PQexitPipelineMode(link_.get()) == 1;
}

}  // namespace carrel::postgres
