#include "bench/core/exit_clock.h"

#include <climits>
#include <string>

#include "carrel/base/assert.h"

namespace carrel::bench {

ExitClock::ExitClock(int values_held) : values_held_(values_held) {
  CARREL_ASSERT(pthread_key_create(&last_key_, &ExitClock::stamp) == 0,
                "no pthread key is left for the exit clock");
}

ExitClock::~ExitClock() {
  pthread_key_delete(last_key_);
}

double ExitClock::measure(const std::function<void()>& hold) {
  hold_ = &hold;
  rounds_ = 0;
  pthread_t thread{};
  CARREL_ASSERT(pthread_create(&thread, nullptr, &ExitClock::run, this) == 0,
                "the measured thread could not be started");
  CARREL_ASSERT(pthread_join(thread, nullptr) == 0, "the measured thread could not be joined");
  CARREL_ASSERT(ExitValue::destroyed == values_held_,
                "a thread held " + std::to_string(values_held_) + " values and destroyed " +
                    std::to_string(ExitValue::destroyed.load()));
  return std::chrono::duration<double, std::nano>(end_ - begin_).count();
}

void* ExitClock::run(void* clock) {
  auto* self = static_cast<ExitClock*>(clock);
  (*self->hold_)();
  pthread_setspecific(self->last_key_, self);
  ExitValue::destroyed = 0;  // temporaries that filling the variables took do not count
  self->begin_ = std::chrono::steady_clock::now();
  return nullptr;
}

void ExitClock::stamp(void* clock) {
  auto* self = static_cast<ExitClock*>(clock);
  self->end_ = std::chrono::steady_clock::now();
  const bool missing = ExitValue::destroyed.load(std::memory_order_relaxed) < self->values_held_;
  if (missing && ++self->rounds_ < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(self->last_key_, self);
  }
}

}  // namespace carrel::bench
