// What a value that only refers to an object refers to: recorded by its owner, so that inspect()
// can tell when two threads hold the same object. Internal to the local layer.
//
// The record lies behind the value, in variables of such a type only. Read and written atomically,
// since inspect() reads it from another thread; relaxed, since it is only reported.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

namespace carrel::local {

// Objects only: that two threads hold the same function is no accident. A weak_ptr refers to
// nothing until it is locked.
template <class T>
inline constexpr bool has_referent =
    std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>;
template <class T>
inline constexpr bool has_referent<std::reference_wrapper<T>> = !std::is_function_v<T>;
template <class T>
inline constexpr bool has_referent<std::shared_ptr<T>> = true;

using Referent = std::uintptr_t;  // 0: none

template <class T>
[[nodiscard]] Referent referent_of(const T& value) noexcept {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<Referent>(value);
  } else {
    return reinterpret_cast<Referent>(std::addressof(value.get()));
  }
}
template <class T>
[[nodiscard]] Referent referent_of(const std::shared_ptr<T>& value) noexcept {
  return reinterpret_cast<Referent>(value.get());
}

// How far behind the value its record lies, and where the record ends.
template <class T>
inline constexpr std::uint32_t referent_at =
    has_referent<T> ? (sizeof(T) + sizeof(Referent) - 1) / sizeof(Referent) * sizeof(Referent) : 0;

[[nodiscard]] inline std::atomic_ref<Referent> referent_record(void* value,
                                                               std::uint32_t at) noexcept {
  return std::atomic_ref(*reinterpret_cast<Referent*>(static_cast<char*>(value) + at));
}

}  // namespace carrel::local
