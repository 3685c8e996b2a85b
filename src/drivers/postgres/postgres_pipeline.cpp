#include "drivers/postgres/postgres_pipeline.h"

#include <utility>

namespace carrel::postgres {
namespace {

constexpr int kTextResults = 0;

}  // namespace

// Waits until the deadline and, once it has passed, a little longer.
class Pipeline::Patience {
 public:
  Patience(const RunOptions& options, Canceller& canceller) noexcept
      : options_(options), canceller_(canceller), limit_(options.deadline) {}

  template <class Wait>
  Waited until_over(const Wait& wait) {
    const auto waited = wait(limit_);
    if (waited != Waited::timed_out || over_ || options_.on_deadline == OnDeadline::leave)
      return waited;
    over_ = true;
    canceller_.request(CancelReason::deadline);
    limit_ = Clock::Steady::clock::now() + options_.grace;
    return wait(limit_);
  }

 private:
  const RunOptions& options_;
  Canceller& canceller_;
  Clock::Steady limit_;
  bool over_ = false;
};

std::size_t Pipeline::added(int sent) noexcept {
  if (sent != 1) refused_ = true;
  return steps_++;
}

std::size_t Pipeline::add_command(const std::string& sql) {
  return added(PQsendQueryParams(link_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                                 kTextResults));
}

std::size_t Pipeline::add_prepare(const std::string& name, const std::string& sql,
                                  const Parameters& like) {
  return added(PQsendPrepare(link_.get(), name.c_str(), sql.c_str(), like.count(), like.types()));
}

std::size_t Pipeline::add_execute(const std::string& name, const Parameters& parameters) {
  return added(PQsendQueryPrepared(link_.get(), name.c_str(), parameters.count(),
                                   parameters.values(), parameters.lengths(), parameters.formats(),
                                   kTextResults));
}

std::size_t Pipeline::add_direct(const std::string& sql, const Parameters& parameters) {
  return added(PQsendQueryParams(link_.get(), sql.c_str(), parameters.count(), parameters.types(),
                                 parameters.values(), parameters.lengths(), parameters.formats(),
                                 kTextResults));
}

Outcome Pipeline::run(const RunOptions& options) {
  Outcome outcome;
  outcome.answers.resize(std::exchange(steps_, 0));
  canceller_.statement_begins();
  if (std::exchange(refused_, false) || PQpipelineSync(link_.get()) != 1) {
    outcome.ending = Ending::lost;
  } else {
    ++round_trips_;
    Patience patience(options, canceller_);
    collect(outcome, patience);
  }
  settle(outcome, options.grace);
  return outcome;
}

void Pipeline::collect(Outcome& outcome, Patience& patience) {
  const auto flushed =
      patience.until_over([this](Clock::Steady limit) { return link_.flush(limit); });
  if (flushed == Waited::timed_out) {
    outcome.ending = Ending::timed_out;
    return;
  }
  // A connection lost while sending may still hold the server's last words.
  for (std::size_t step = 0; step <= outcome.answers.size(); ++step) {
    if (!take_answers(outcome, step, patience)) return;
  }
}

// Takes all results of one step, or the one of the sync that follows the last. False ends the run.
bool Pipeline::take_answers(Outcome& outcome, std::size_t step, Patience& patience) {
  for (;;) {
    const auto waited =
        patience.until_over([this](Clock::Steady limit) { return link_.wait_for_result(limit); });
    if (waited == Waited::timed_out) {
      outcome.ending = Ending::timed_out;
      return false;
    }
    // A broken socket that libpq has not noticed would make PQgetResult wait.
    const bool unreadable = waited == Waited::lost && PQstatus(link_.get()) == CONNECTION_OK;
    ResultPtr result(unreadable ? nullptr : PQgetResult(link_.get()));
    if (!result) {
      if (step < outcome.answers.size() && !unreadable) return true;
      // An error may come before the sync itself, when what ran outside a transaction is committed.
      if (outcome.failed == outcome.answers.size() && !unreadable && !link_.lost()) continue;
      outcome.ending = Ending::lost;
      return false;
    }
    switch (PQresultStatus(result.get())) {
      case PGRES_PIPELINE_SYNC:
        if (step < outcome.answers.size()) outcome.ending = Ending::lost;  // not ours: out of step
        return false;
      case PGRES_PIPELINE_ABORTED:
        break;
      case PGRES_FATAL_ERROR:
      case PGRES_BAD_RESPONSE:
        if (outcome.failed == Outcome::kNone && !sqlstate_of(result.get()).empty()) {
          outcome.failed = step;
          outcome.failure = std::move(result);
        }
        if (link_.lost() || PQstatus(link_.get()) != CONNECTION_OK) {
          outcome.ending = Ending::lost;
          return false;
        }
        break;
      default:
        if (step < outcome.answers.size()) outcome.answers[step] = std::move(result);
    }
  }
}

// Makes sure that a cancel request hits nothing that comes later.
void Pipeline::settle(Outcome& outcome, std::chrono::milliseconds grace) {
  const auto limit = Clock::Steady::clock::now() + grace;
  const auto aftermath = canceller_.statement_ends(limit);
  outcome.cancelled = aftermath.reason;
  outcome.usable = outcome.ending == Ending::complete && aftermath.settled;
  if (outcome.usable && aftermath.reason != CancelReason::none) outcome.usable = drain(limit);
}

// The signal that may still be on its way is dropped by a server that reads its next command.
bool Pipeline::drain(Clock::Steady limit) {
  ++round_trips_;
  if (PQpipelineSync(link_.get()) != 1 || link_.flush(limit) != Waited::ready ||
      link_.wait_for_result(limit) != Waited::ready)
    return false;
  const ResultPtr result(PQgetResult(link_.get()));
  return result && PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC;
}

}  // namespace carrel::postgres
