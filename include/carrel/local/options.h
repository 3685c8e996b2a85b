// The options of a ThreadLocal, and what its figures say. Included by thread_local.h.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace carrel {

// Who destroys the values that other threads hold when a variable dies.
enum class Reclaim {
  eager,  // the dying variable, before its destructor returns: idle threads keep nothing
  owner,  // each thread its own, when it next makes a value or looks for one that is not there: for
          // a T that only its thread may destroy. Pins the library that the variable's code is in.
};

// How long a value is meant to stay.
enum class Lifetime {
  task,    // no longer than the task that made it: what a boundary finds of it is a leftover
  thread,  // as long as the thread: a cache, exempt from the audit
};

// Why the destructor that is running on this thread was called by Carrel.
enum class Ending {
  none,            // no destructor of a value is running here
  removed,         // remove(), take(), set() or the end of a bind guard
  thread_exit,     // the thread ends
  variable_death,  // the variable is being destroyed, maybe by another thread than the owner
};

// The ending that this thread's innermost running destructor of a value belongs to.
[[nodiscard]] Ending current_ending() noexcept;

// How a T tells what it occupies, its handle included, for inspection and audits. Without a
// specialisation that is sizeof(T).
//
//   template <>
//   struct carrel::bytes_of<Glyphs> {
//     std::size_t operator()(const Glyphs& glyphs) const noexcept { return glyphs.bytes(); }
//   };
//
// Asked on the value's own thread, with no lock held, whenever a value is made or set (get, set,
// bind and its end); publish_bytes() is for what changes in place. It must not throw, and not
// remove the value. Declared before the first variable of a T. A program may specialise it for a
// standard type, a library for its own types only.
template <class T>
struct bytes_of;

struct VariableStatistics {
  std::size_t values = 0;      // threads that hold a value now
  std::size_t idle_cells = 0;  // memory of removed values that threads keep for the next one
  std::size_t bytes = 0;       // of the values, as their owners last said
};

// Wraps a T that refers to an object which it does not own. A pointer, reference wrapper or shared
// pointer as the value of a thread-local is nearly always the mistake that gives all threads one
// object, so it must be asked for: ThreadLocal<borrowed<Arena*>>. The value's type is Arena*.
template <class T>
struct borrowed {
  using type = T;
};

namespace local {

template <class T>
struct Stored {
  using type = T;
  static constexpr bool is_borrowed = false;
};
template <class T>
struct Stored<borrowed<T>> {
  using type = T;
  static constexpr bool is_borrowed = true;
};

template <class T>
inline constexpr bool tells_bytes = requires { sizeof(bytes_of<T>); };

template <class T>
[[nodiscard]] std::size_t told_bytes(const T& value) noexcept {
  static_assert(std::is_nothrow_invocable_r_v<std::size_t, const bytes_of<T>&, const T&>,
                "bytes_of<T> is called with a const T&, does not throw, and returns a size");
  return bytes_of<T>()(value);
}

template <class T>
inline constexpr bool refers_to_another = std::is_pointer_v<T> || std::is_member_pointer_v<T>;
template <class T>
inline constexpr bool refers_to_another<std::reference_wrapper<T>> = true;
template <class T>
inline constexpr bool refers_to_another<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool refers_to_another<std::weak_ptr<T>> = true;

// What makes a value: a function, or T{} where T can be made so. For a T that cannot, there is no
// empty Initial, so that leaving it out of the options does not compile.
template <class T>
class Initial {
 public:
  Initial()
    requires std::default_initializable<std::remove_const_t<T>>
  = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Initial> &&
             std::is_invocable_r_v<std::remove_const_t<T>, F&>)
  Initial(F&& make) : make_(std::forward<F>(make)) {}

  [[nodiscard]] std::remove_const_t<T> operator()() const {
    if constexpr (std::default_initializable<std::remove_const_t<T>>) {
      if (!make_) return std::remove_const_t<T>();
    }
    return make_();
  }

 private:
  std::function<std::remove_const_t<T>()> make_;
};

}  // namespace local

template <class T>
struct ThreadLocalOptions {
  // For audits and inspection; if empty, the type's name stands in.
  std::string name{};
  // Makes each thread's value at its first get(). Required if T has no default constructor.
  local::Initial<T> initial{};
  Reclaim reclaim = Reclaim::eager;
  Lifetime lifetime = Lifetime::task;
};

}  // namespace carrel
