// coupling_of(): how many functions name a type in their signature, counted from their types.
//
//   constexpr Coupling coupling = coupling_of<Connection>(&Bank::transfer, &Bank::balance_of);
//   static_assert(coupling.naming == 1);
//
// Named is a type without reference and const; it counts as a parameter or as the result, by value,
// reference or pointer. Threads, errors: none, all of it happens in the compiler.
#pragma once

#include <cstdint>
#include <type_traits>

namespace carrel::lab {

struct Coupling {
  std::int64_t functions = 0;
  std::int64_t naming = 0;
};

template <class Named, class T>
inline constexpr bool kNames =
    std::is_same_v<std::remove_cv_t<std::remove_pointer_t<std::remove_cvref_t<T>>>, Named>;

template <class Named, class R, class... Parameters>
consteval bool names(R (*)(Parameters...)) {
  return kNames<Named, R> || (kNames<Named, Parameters> || ...);
}
template <class Named, class C, class R, class... Parameters>
consteval bool names(R (C::*)(Parameters...)) {
  return kNames<Named, R> || (kNames<Named, Parameters> || ...);
}
template <class Named, class C, class R, class... Parameters>
consteval bool names(R (C::*)(Parameters...) const) {
  return kNames<Named, R> || (kNames<Named, Parameters> || ...);
}

template <class Named, class... Functions>
consteval Coupling coupling_of(Functions... functions) {
  return {sizeof...(Functions), (std::int64_t{names<Named>(functions)} + ... + 0)};
}

}  // namespace carrel::lab
