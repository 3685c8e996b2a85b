// ThreadLocal: a variable with one value per thread, made and destroyed as an ordinary object.
//
// Use it for state that belongs to a thread while the owner of the state lives: a member of a pool,
// a cache per parser, a counter per registry. Not for the state of a request (RequestLocal), and
// not where a `thread_local` at namespace scope does (StaticThreadLocal adds audit and inspection).
//
//   ThreadLocal<std::string> buffer{{.name = "render buffer", .lifetime = Lifetime::thread}};
//   buffer.get() += "text";                      // made at the first get of each thread
//   buffer.set("other");                         // forestalls the initial value
//   { const auto quoted = buffer.bind("'"); }    // for a block, then "other" again
//   buffer.remove();                             // the next get makes it anew
//
// Threads: the variable may be used by all threads at once; each sees its own value.
// Lifetime: a reference stays valid until the value is removed, or until the variable or the thread
// ends. The destructor returns once every thread's value is destroyed (Reclaim::eager): it runs
// those of threads that do not, waits for destructors that exiting threads are running, and must
// not run at the same time as any other use. Use after that stops the program where it is seen. A
// destructor or an initialiser of a value may use any thread-local, its own included:
// docs/reference/thread-local.md says what comes of it.
// Errors: std::bad_alloc, what T's own functions throw, and Error "recursive_initialiser". A value
// that could not be made leaves everything as it was. A thread's very first: see Limits there.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "carrel/local/internal/operations.h"

namespace carrel {

template <class Declared>
class ThreadLocal : public ThreadLocalOperations<ThreadLocal<Declared>, Declared> {
  using Operations = ThreadLocalOperations<ThreadLocal<Declared>, Declared>;
  using typename Operations::Plain;
  using typename Operations::T;
  using typename Operations::Values;
  friend Operations;

 public:
  using Options = ThreadLocalOptions<typename Operations::value_type>;

  // The value is T{} at first; without a default constructor T needs the initial value.
  ThreadLocal()
    requires std::default_initializable<Plain>
      : ThreadLocal(Options{}) {}
  explicit ThreadLocal(Options options)
      : name_(std::move(options.name)),
        info_(local::describe_variable<T>(name_, options.reclaim, options.lifetime,
                                          is_concurrent<Plain>)),
        initial_(std::move(options.initial)) {
    const local::Registration registration = local::register_variable(info_);
    slot_ = registration.slot;
    key_ = registration.key;
  }
  // What `make` returns is each thread's initial value.
  template <class Make>
    requires std::constructible_from<local::Initial<T>, Make>
  [[nodiscard]] static ThreadLocal with_initial(Make&& make) {
    return ThreadLocal(Options{.name = {}, .initial = std::forward<Make>(make)});
  }
  ThreadLocal(const ThreadLocal&) = delete;
  ThreadLocal& operator=(const ThreadLocal&) = delete;
  ~ThreadLocal() {
    local::retire_variable(*slot_, key_);
    // Volatile: a use after this is an error, but one that shall be seen.
    const_cast<volatile std::uint64_t&>(key_.bits) = local::Key::never().bits;
  }

  // This thread's value; the initial value is made if there is none. O(1).
  T& get() const {
    if (void* const value = local::lookup(key_)) [[likely]]
      return *static_cast<T*>(value);
    return local::on_the_slow_path(this)->get_slowly();
  }

  [[nodiscard]] std::string_view name() const noexcept { return name_; }

 private:
  [[nodiscard]] local::Key key() const noexcept { return key_; }
  [[nodiscard]] local::Target target() const noexcept { return {key_, *slot_, info_}; }
  [[nodiscard]] static constexpr bool is_registered() noexcept { return true; }

  [[gnu::noinline]] T& get_slowly() const {
    if (T* const value = Values::find(key_)) return *value;
    return Values::initialise(target(), initial_);
  }

  local::Key key_;  // first: all that a hit reads of the variable
  local::Slot* slot_ = nullptr;
  std::string name_;
  local::VariableInfo info_;
  local::Initial<T> initial_;
};

}  // namespace carrel
