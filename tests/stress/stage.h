// What local_stress plays on: variables that come and go under the threads which use them, and what
// each thread knows of the values that it holds.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "carrel/local/thread_local.h"

namespace carrel::stress {

class Stage;

// A value that knows whether it lives. Now and then it meddles: where it ends, by its destructor or
// by an assignment, it uses another variable, or its own. Moving it moves that along.
class Value {
 public:
  explicit Value(std::uint64_t number = 0, Stage* meddles_with = nullptr) noexcept;
  Value(Value&& other) noexcept;
  Value& operator=(Value&& other) noexcept;
  ~Value();

  [[nodiscard]] bool lives() const noexcept;
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  void change_to(std::uint64_t number) noexcept { number_ = number; }

  // How many there are.
  static std::atomic<long> living;

 private:
  void meddle() noexcept;

  // Atomic, since visitors look at them while their owner assigns.
  std::atomic<std::uint64_t> mark_;
  std::atomic<std::uint64_t> number_;
  Stage* stage_;
};

// What a thread holds, by variable: the variable's number (never used twice) and the value's.
struct Expected {
  std::uint64_t variable = 0;
  std::uint64_t number = 0;
};
using Model = std::map<std::size_t, Expected>;

// The model of this thread; null once it has ended and only its values' destructors run.
extern constinit thread_local Model* model;

// A place for a variable. Whoever uses the variable holds the lock shared, whoever destroys it
// alone; threads end without any.
struct Place {
  std::shared_mutex mutex;
  std::unique_ptr<ThreadLocal<Value>> variable;
  std::uint64_t number = 0;
};

class Stage {
 public:
  explicit Stage(unsigned variables);

  [[nodiscard]] Place& at(std::size_t index) { return places_[index]; }
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  // Puts a new variable there. With the place's lock held alone.
  void renew(Place& place);
  // Uses a variable that nobody is destroying; does nothing if somebody may be.
  void meddle(std::uint64_t number);

 private:
  std::vector<Place> places_;
  std::atomic<std::uint64_t> last_number_{0};
};

}  // namespace carrel::stress

template <>
inline constexpr bool carrel::is_concurrent<carrel::stress::Value> = true;
