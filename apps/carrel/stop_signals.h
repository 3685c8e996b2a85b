// StopSignals: SIGINT and SIGTERM as something to wait for, instead of the end of the process.
//
//   StopSignals signals;                 // before the first thread is started
//   run();
//   signals.wait();                      // until Ctrl-C
//   signals.exit_at_next();              // the next one ends the process at once
//
// Threads: constructed and used by the main thread. SIGPIPE is ignored from then on: a write to
// what has been closed is an error there, not the end of the service.
#pragma once

#include <csignal>

namespace carrel::program {

class StopSignals {
 public:
  StopSignals() noexcept;
  // Blocks until one of them arrives, and says which.
  [[nodiscard]] int wait() const noexcept;
  void exit_at_next() const noexcept;

 private:
  sigset_t set_;
};

}  // namespace carrel::program
