// A variable as it was first built: one map for each variable, from thread to value. For
// comparison.
//
//   LockedMap<T>   one map behind one lock: the JDK's ThreadLocal of 1998
//   StripedMap<T>  the usual repair: the map cut into stripes, each behind a lock of its own
//
// Neither learns that a thread has ended: its value stays until the variable dies, or until a new
// thread gets the old one's number and finds a stranger's value.
//
// Threads: mine() and entries() are safe from any. Lifetime: references stay valid until the
// variable ends. Errors: std::bad_alloc.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace carrel::lab {

template <class T>
class LockedMap {
 public:
  explicit LockedMap(std::function<T()> initial) : initial_(std::move(initial)) {}

  // The calling thread's value.
  T& mine() { return of(std::this_thread::get_id()); }
  T& of(std::thread::id thread) {
    const std::lock_guard lock(mutex_);
    if (const auto found = values_.find(thread); found != values_.end()) return found->second;
    return values_.emplace(thread, initial_()).first->second;
  }

  [[nodiscard]] std::size_t entries() {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }

 private:
  std::function<T()> initial_;
  std::mutex mutex_;
  std::unordered_map<std::thread::id, T> values_;  // guarded by mutex_
};

template <class T>
class StripedMap {
 public:
  explicit StripedMap(const std::function<T()>& initial)
      : stripes_(make(initial, std::make_index_sequence<kStripes>())) {}

  T& mine() {
    const std::thread::id thread = std::this_thread::get_id();
    return stripe_of(thread).map.of(thread);
  }

  [[nodiscard]] std::size_t entries() {
    std::size_t sum = 0;
    for (Stripe& stripe : stripes_) sum += stripe.map.entries();
    return sum;
  }

 private:
  static constexpr std::size_t kStripes = 16;  // as the JDK's ConcurrentHashMap had by default
  static constexpr std::size_t kCacheLine = 64;

  struct alignas(kCacheLine) Stripe {
    LockedMap<T> map;
  };

  template <std::size_t... I>
  static std::array<Stripe, kStripes> make(const std::function<T()>& initial,
                                           std::index_sequence<I...>) {
    return {{(static_cast<void>(I), Stripe{LockedMap<T>(initial)})...}};
  }

  // Threads' ids are addresses that lie whole stacks apart: their low bits are all the same.
  // Multiplied as Fibonacci hashing does (Knuth, The Art of Computer Programming 3, 6.4), the high
  // ones tell them apart.
  Stripe& stripe_of(std::thread::id thread) {
    const std::size_t mixed = std::hash<std::thread::id>()(thread) * 0x9e3779b97f4a7c15ULL;
    return stripes_[mixed >> 60];
  }

  std::array<Stripe, kStripes> stripes_;
};

}  // namespace carrel::lab
