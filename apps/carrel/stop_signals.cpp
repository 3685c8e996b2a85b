#include "carrel/stop_signals.h"

namespace carrel::program {

StopSignals::StopSignals() noexcept {
  sigemptyset(&set_);
  sigaddset(&set_, SIGINT);
  sigaddset(&set_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int StopSignals::wait() const noexcept {
  int signal = 0;
  while (sigwait(&set_, &signal) != 0) {
  }
  return signal;
}

void StopSignals::exit_at_next() const noexcept {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  // Threads started meanwhile keep them blocked; this one alone is enough to receive them.
  pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
}

}  // namespace carrel::program
