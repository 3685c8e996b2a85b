// persist: asks a database again and again, with pauses, until it has answered or time is up.
#pragma once

#include <exception>
#include <functional>

#include "carrel/base/clock.h"
#include "carrel/base/error.h"

namespace carrel::session {

// Waits before attempt `number` + 1, not beyond `until`. Does not throw.
using Pause = std::function<void(int number, Clock::Steady until)>;

// Returns whether `ask` has ended without an error. Tries at least once; gives up at an error that
// would come again.
template <class Ask>
bool persist(const Pause& pause, Clock::Steady until, const Ask& ask) noexcept {
  for (int number = 1;; ++number) {
    try {
      ask();
      return true;
    } catch (const Error& error) {
      if (!error.retryable() && !error.in_doubt()) return false;
    } catch (const std::exception&) {
      return false;  // no memory or no thread; who calls has somebody else to finish it
    }
    if (Clock::Steady::clock::now() >= until) return false;
    pause(number, until);
  }
}

}  // namespace carrel::session
