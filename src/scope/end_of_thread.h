// EndOfThread: has a function called when a thread ends. Internal to the library.
//
//   static const EndOfThread end([](void* what) { give_back(what); });
//   if (!end.call_with(what)) ...   // no memory: go without
//
// A pthread key, and not a thread_local with a destructor: for that the C library needs memory, and
// stops the program where there is none. The function is called after the destructors of all native
// thread_locals. Not at exit(), for the thread that calls it: what is left then, is left to the
// process.
//
// Threads: call_with() from any, for itself. Lifetime: a static variable; it keeps the library that
// the function lives in loaded. Errors: none are thrown.
#pragma once

#include <pthread.h>

#include "carrel/local/internal/variable.h"

namespace carrel::scope {

class EndOfThread {
 public:
  explicit EndOfThread(void (*at_end)(void*)) noexcept
      : made_(::pthread_key_create(&key_, at_end) == 0) {
    if (made_) local::pin_library_of(reinterpret_cast<const void*>(at_end));
  }
  EndOfThread(const EndOfThread&) = delete;
  EndOfThread& operator=(const EndOfThread&) = delete;
  ~EndOfThread() = default;  // threads may outlive it: the key stays

  // `what` is not null. False: nothing will be called.
  [[nodiscard]] bool call_with(const void* what) const noexcept {
    return made_ && ::pthread_setspecific(key_, what) == 0;
  }

 private:
  ::pthread_key_t key_{};
  bool made_;
};

}  // namespace carrel::scope
