// is_concurrent: whether several threads may use one T at a time through a non-const reference.
//
// Specialise it for such types of yours, before the first variable of one:
//
//   template <>
//   inline constexpr bool carrel::is_concurrent<Hits> = true;
//
// Carrel then lets other threads touch a value: ThreadLocal<T>::for_each_thread compiles, and a
// request-local that is shared with other threads is not made const. Of std::atomic it is true.
#pragma once

#include <atomic>

namespace carrel {

template <class T>
inline constexpr bool is_concurrent = false;
template <class T>
inline constexpr bool is_concurrent<std::atomic<T>> = true;

}  // namespace carrel
