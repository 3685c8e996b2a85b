// Snapshot: what of a request's context goes along when its work moves to another thread.
//
// Use it wherever work leaves the thread: a pool of threads, std::jthread, a timer, a callback. For
// Asio coroutines use scope_executor. Only RequestLocals flow, each as its Flow says; thread-locals
// and bound transactions never do.
//
//   const Snapshot snapshot = Snapshot::capture();
//   pool.enqueue(snapshot.wrap([] { send_mail(caller.get()); }));  // with the caller's values
//   refresh_timer.on_tick(detach([] { refresh_cache(); }));        // with no context at all
//
// Every run opens a scope of its own, derived from the captured one: the same name, deadline and
// trace (a child span), and copies of the values. What a run sets is seen by nobody else, and what
// the captured scope sets later is not seen by the run. A run inside another scope, also inline on
// the same thread, leaves that scope as it was.
//
// Threads: immutable; any number of threads may run one snapshot, or one wrapped function, at a
// time (then T's copy constructor is called by several threads on one const object). Lifetime:
// copies share one block, which dies with the last of them; it holds only what flows. Errors:
// capture() and run() pass on what T's copy constructor throws, and capture nothing then. capture()
// outside any scope gives an empty snapshot; its runs have an empty scope. Wrapping what is wrapped
// already does not compile; where a std::function, or anything else with a target_type(), hides the
// wrapped function, wrap() throws Error "snapshot.wrapped_twice".
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "carrel/scope/internal/value_map.h"
#include "carrel/scope/scope.h"

namespace carrel {

namespace scope {

// Copies of the cells that flow, oldest first.
class CapturedValues {
 public:
  CapturedValues() noexcept {}  // written out, so that making one does not clear the arena first
  CapturedValues(const CapturedValues&) = delete;
  CapturedValues& operator=(const CapturedValues&) = delete;
  ~CapturedValues();
  void copy_from(const ValueMap& values);
  void copy_to(ValueMap& values) const;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  Cell* oldest_ = nullptr;
  Cell* newest_ = nullptr;
  std::size_t size_ = 0;
  Arena arena_;
};

struct Captured {
  explicit Captured(const Scope& scope)
      : name(Access::name(scope)),
        deadline(scope.deadline()),
        trace(scope.trace()),
        clock(&scope.clock()) {
    values.copy_from(Access::values(scope));
  }
  ScopeName name;
  std::optional<Clock::Steady> deadline;
  TraceContext trace;
  const Clock* clock;
  CapturedValues values;
};

}  // namespace scope

template <class F>
class Wrapped;
template <class F>
class Detached;

namespace scope {

// Whether a type of that (mangled) name is a Wrapped<F>, of whatever F.
[[nodiscard]] bool names_a_wrapped_function(const char* type_name) noexcept;
[[noreturn]] void throw_wrapped_twice();

// Looks into what tells the type of the function that it holds, as std::function does. Without
// run-time type information nothing does.
template <class F>
void refuse_if_wrapped([[maybe_unused]] const F& f) {
#ifdef __cpp_rtti
  if constexpr (requires { f.target_type().name(); }) {
    if (names_a_wrapped_function(f.target_type().name())) throw_wrapped_twice();
  }
#endif
}

}  // namespace scope

class Snapshot {
 public:
  // Holds nothing.
  Snapshot() noexcept = default;

  // Takes from the current scope what may flow.
  [[nodiscard]] static Snapshot capture();

  // Calls `f` in a scope derived from the captured one, named `name` if one is given.
  template <std::invocable F>
  decltype(auto) run(F&& f, ScopeName name = {}) const {
    const Scope scope(*this, name);
    return std::invoke(std::forward<F>(f));
  }

  // A function object that calls `f` as run() does, any number of times. Copies if `f` copies; its
  // call operator is const if that of `f` is, so that parallel algorithms take it.
  template <class F>
  [[nodiscard]] Wrapped<std::decay_t<F>> wrap(F&& f) const {
    scope::refuse_if_wrapped(f);
    return Wrapped<std::decay_t<F>>(*this, std::forward<F>(f));
  }
  // Wrapping twice would run with the outer snapshot's values hidden by the inner one's.
  template <class F>
  void wrap(const Wrapped<F>&) const = delete;
  template <class F>
  void wrap(Wrapped<F>&&) const = delete;
  template <class F>
  void wrap(Wrapped<F>&) const = delete;
  template <class F>
  void wrap(std::reference_wrapper<Wrapped<F>>) const = delete;
  template <class F>
  void wrap(std::reference_wrapper<const Wrapped<F>>) const = delete;

  // How many values it holds.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  friend class Scope;

  // What its runs start with; the defaults where nothing was captured.
  [[nodiscard]] const ScopeName& name() const noexcept;
  [[nodiscard]] const Clock& clock() const noexcept;

  std::shared_ptr<const scope::Captured> captured_;
};

// What Snapshot::wrap() returns.
template <class F>
class Wrapped {
 public:
  template <class G>
  Wrapped(Snapshot snapshot, G&& f) : snapshot_(std::move(snapshot)), f_(std::forward<G>(f)) {}

  template <class... A>
    requires std::invocable<F&, A...>
  decltype(auto) operator()(A&&... arguments) {
    const Scope scope(snapshot_);
    return std::invoke(f_, std::forward<A>(arguments)...);
  }
  template <class... A>
    requires std::invocable<const F&, A...>
  decltype(auto) operator()(A&&... arguments) const {
    const Scope scope(snapshot_);
    return std::invoke(f_, std::forward<A>(arguments)...);
  }

 private:
  Snapshot snapshot_;
  F f_;
};

// What detach() returns.
template <class F>
class Detached {
 public:
  template <class G>
    requires(!std::same_as<std::decay_t<G>, Detached>)
  explicit Detached(G&& f) : f_(std::forward<G>(f)) {}

  template <class... A>
    requires std::invocable<F&, A...>
  decltype(auto) operator()(A&&... arguments) {
    const scope::OutsideAnyScope outside;
    return std::invoke(f_, std::forward<A>(arguments)...);
  }
  template <class... A>
    requires std::invocable<const F&, A...>
  decltype(auto) operator()(A&&... arguments) const {
    const scope::OutsideAnyScope outside;
    return std::invoke(f_, std::forward<A>(arguments)...);
  }

 private:
  F f_;
};

// A function object that calls `f` outside any scope, whoever calls it: for timers and background
// work that must not look like a part of the request that started them.
template <class F>
[[nodiscard]] Detached<std::decay_t<F>> detach(F&& f) {
  return Detached<std::decay_t<F>>(std::forward<F>(f));
}

// A thread that runs `f` with this scope's context; `f` may take a std::stop_token first.
template <class F, class... A>
[[nodiscard]] std::jthread jthread_in_scope(F&& f, A&&... arguments) {
  return std::jthread(Snapshot::capture().wrap(std::forward<F>(f)), std::forward<A>(arguments)...);
}

// Has `arena` (a tbb::task_arena, or whatever has such an enqueue()) run `f` with this scope's
// context. Inside parallel algorithms, wrap() the body.
template <class Arena, class F>
void enqueue_in_scope(Arena& arena, F&& f) {
  arena.enqueue(Snapshot::capture().wrap(std::forward<F>(f)));
}

}  // namespace carrel
