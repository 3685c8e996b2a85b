// StaticThreadLocal: a thread-local variable for namespace scope.
//
// Use it where the variable lives as long as the process. It is constant-initialised, so that every
// static initialiser may use it, and trivially destructible, so that threads which still run while
// the process exits keep their values. Not for members of objects: those are ThreadLocals.
//
//   constinit StaticThreadLocal<int> depth{"recursion depth"};
//   constinit StaticThreadLocal<Cache> cache{{.name = "glyphs", .initial = &load_cache,
//                                             .lifetime = Lifetime::thread}};
//
// Threads, errors: as ThreadLocal. Lifetime: the first use registers it for good, and keeps the
// library that it lives in loaded; values end with their threads only.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "carrel/local/internal/operations.h"

namespace carrel {
namespace local {

// A function without state that makes a value; T{} where T can be made so. As Initial, it cannot be
// left out where T cannot.
template <class T>
class StaticInitial {
  using Plain = std::remove_const_t<T>;

 public:
  constexpr StaticInitial() noexcept
    requires std::default_initializable<Plain>
      : make_([]() -> Plain { return Plain(); }) {}
  template <class F>
    requires std::convertible_to<F, Plain (*)()>
  constexpr StaticInitial(F make) noexcept : make_(make) {}

  [[nodiscard]] Plain operator()() const { return make_(); }

 private:
  Plain (*make_)();
};

}  // namespace local

template <class T>
struct StaticThreadLocalOptions {
  std::string_view name{};  // a literal
  local::StaticInitial<T> initial{};
  Lifetime lifetime = Lifetime::task;
};

template <class Declared>
class StaticThreadLocal : public ThreadLocalOperations<StaticThreadLocal<Declared>, Declared> {
  using Operations = ThreadLocalOperations<StaticThreadLocal<Declared>, Declared>;
  using typename Operations::Plain;
  using typename Operations::T;
  using typename Operations::Values;
  friend Operations;

 public:
  using Options = StaticThreadLocalOptions<typename Operations::value_type>;

  constexpr explicit StaticThreadLocal(std::string_view name)
    requires std::default_initializable<Plain>
      : StaticThreadLocal(Options{.name = name}) {}
  constexpr explicit StaticThreadLocal(Options options)
      : info_(local::describe_variable<T>(options.name, Reclaim::eager, options.lifetime,
                                          is_concurrent<Plain>)),
        initial_(options.initial) {}

  // This thread's value; the initial value is made if there is none. O(1).
  T& get() const {
    if (void* const value = local::lookup(key())) [[likely]]
      return *static_cast<T*>(value);
    return local::on_the_slow_path(this)->get_slowly();
  }

  [[nodiscard]] std::string_view name() const noexcept { return info_.name; }

 private:
  // Relaxed: a key that is seen too late only leads to the slow path. No entry but this variable's
  // own ever has its key.
  [[nodiscard]] local::Key key() const noexcept {
    return local::Key{key_.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] bool is_registered() const noexcept { return key() != local::Key::never(); }

  [[nodiscard]] local::Target target() const {
    // Acquire: whoever sees the key sees the slot that the registering thread took.
    local::Key current{key_.load(std::memory_order_acquire)};
    if (current == local::Key::never()) current = register_now();
    return {current, local::slot_of(current), info_};
  }

  [[gnu::noinline]] local::Key register_now() const {
    local::pin_library_of(this);
    const local::Registration mine = local::register_variable(info_);
    std::uint64_t expected = local::Key::never().bits;
    // Release: see target(). Acquire on failure: another thread was faster.
    if (!key_.compare_exchange_strong(expected, mine.key.bits, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      local::retire_variable(*mine.slot, mine.key);
      return local::Key{expected};
    }
    return mine.key;
  }

  [[gnu::noinline]] T& get_slowly() const {
    const local::Target found = target();
    if (T* const value = Values::find(found.key)) return *value;
    return Values::initialise(found, initial_);
  }

  mutable std::atomic<std::uint64_t> key_{local::Key::never().bits};
  local::VariableInfo info_;
  local::StaticInitial<T> initial_;
};

}  // namespace carrel
