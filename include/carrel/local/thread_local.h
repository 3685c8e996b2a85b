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
// that could not be made leaves everything as it was.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "carrel/local/bind.h"
#include "carrel/local/concurrent.h"
#include "carrel/local/options.h"
#include "carrel/local/values.h"

namespace carrel {

template <class Declared>
class ThreadLocal {
 public:
  using value_type = typename local::Stored<Declared>::type;
  using Options = ThreadLocalOptions<value_type>;

 private:
  using T = value_type;
  using Plain = std::remove_const_t<T>;
  using Values = local::Values<T>;
  static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_volatile_v<T>,
                "the value is an object: no reference, no array, not volatile");
  static_assert(std::is_nothrow_destructible_v<T>, "a destructor must not throw");
  static_assert(local::Stored<Declared>::is_borrowed || !local::refers_to_another<Plain>,
                "all threads could get one object by mistake: write ThreadLocal<borrowed<T>>");

 public:
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
    place_ = local::Place::of(registration.key);
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
    local::retire_variable(*slot_, place_.key);
    place_.key = local::Key::never();
  }

  // This thread's value; the initial value is made if there is none. O(1).
  T& get() const {
    const local::ThreadLocalMap& map = local::thread_block.map;
    if (const local::Entry& entry = map.first(place_); entry.key == place_.key) [[likely]]
      return *static_cast<T*>(entry.value);
    if (const local::Entry& entry = map.home(place_); entry.key == place_.key) [[likely]]
      return *static_cast<T*>(entry.value);
    return get_slowly();
  }

  // This thread's value, or nullptr; never makes one.
  [[nodiscard]] T* peek() const noexcept { return Values::find(place_); }

  // Assigns to this thread's value, or makes it. References to it stay valid, but for a T that can
  // only be moved or is const: there a new object takes the old one's place.
  template <class U = Plain>
    requires std::constructible_from<Plain, U>
  T& set(U&& value) const {
    return Values::set(target(), std::forward<U>(value));
  }

  // Destroys this thread's value. False if there is none.
  bool remove() const noexcept { return local::remove_value(place_, *slot_, info_); }

  // Moves this thread's value out, and leaves none.
  [[nodiscard]] std::optional<Plain> take() const
    requires std::move_constructible<Plain>
  {
    return Values::take(target());
  }

  // Sets the value until the guard goes; then there is again what was before, or nothing.
  template <class U = Plain>
    requires(std::constructible_from<Plain, U> && std::movable<T>)
  [[nodiscard]] Bind<T> bind(U&& value) const {
    return Bind<T>(target(), std::forward<U>(value));
  }

  // Calls `visit` with the value of every thread that has one, this thread's included. No lock is
  // held meanwhile, so `visit` may do anything but destroy the variable; what it throws comes out
  // here. Values that come or go meanwhile may be missed; one that its owner removes while it is
  // visited is destroyed after the visit, by the visitor. O(threads that hold a value).
  template <class F>
    requires(is_concurrent<Plain> && std::invocable<F&, T&>)
  void for_each_thread(F&& visit) const {
    local::visit_values(
        *slot_, place_.key,
        [](void* context, void* value) {
          (*static_cast<std::remove_reference_t<F>*>(context))(*static_cast<T*>(value));
        },
        const_cast<void*>(static_cast<const void*>(std::addressof(visit))));
  }

  // Says what this thread's value occupies, for inspection. No effect without a value.
  void publish_bytes(std::size_t bytes) const noexcept {
    if (T* const value = peek()) {
      // Relaxed: a figure on its own.
      local::Cell::of(const_cast<Plain*>(value)).bytes.store(bytes, std::memory_order_relaxed);
    }
  }

  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  // O(threads that hold a value); stops nobody.
  [[nodiscard]] VariableStatistics statistics() const noexcept {
    return local::statistics_of(*slot_);
  }

 private:
  [[nodiscard]] local::Target target() const noexcept { return {place_, *slot_, info_}; }

  [[gnu::noinline]] T& get_slowly() const {
    if (T* const value = Values::find(place_)) return *value;
    return Values::initialise(target(), initial_);
  }

  local::Place place_;  // first: all that a hit reads of the variable
  local::Slot* slot_ = nullptr;
  std::string name_;
  local::VariableInfo info_;
  local::Initial<T> initial_;
};

}  // namespace carrel
