// The fields of an aggregate, counted and filled from a row. Part of result.h, not for inclusion by
// itself: C++20 has no reflection, so the fields are counted by trying braces of every length and
// named by a structured binding of that length.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace carrel::db {

inline constexpr std::size_t kFieldsMax = 16;

struct AnyField {
  template <class T>
  operator T() const;  // never defined: only overload resolution looks at it
};

template <class T, std::size_t... I>
constexpr bool takes_fields(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyField{})...}; };
}

template <class T, std::size_t N = kFieldsMax>
constexpr std::size_t field_count() {
  static_assert(std::is_aggregate_v<T>,
                "Row::to<T>() fills aggregates; use get<T>() for one value");
  static_assert(!takes_fields<T>(std::make_index_sequence<kFieldsMax + 1>()),
                "Row::to<T>() fills at most 16 fields");
  if constexpr (takes_fields<T>(std::make_index_sequence<N>())) {
    return N;
  } else {
    return field_count<T, N - 1>();
  }
}

template <class T, class... Fields, class Row, std::size_t... I>
T fill(const Row& row, std::index_sequence<I...>) {
  return T{row.template get<Fields>(I)...};
}

// What borrows from the Result that it was read from.
template <class T>
inline constexpr bool is_view = false;
template <>
inline constexpr bool is_view<std::string_view> = true;
template <>
inline constexpr bool is_view<std::optional<std::string_view>> = true;

// The types are taken from a function that is never run: only its return type is looked at.
template <class... Fields>
struct FieldTypes {
  static constexpr bool hold_views = (is_view<Fields> || ...);

  template <class T, class Row>
  static T make(const Row& row) {
    return fill<T, Fields...>(row, std::index_sequence_for<Fields...>());
  }
};

template <class... Fields>
FieldTypes<std::remove_cvref_t<Fields>...> types_of(Fields&...) {
  return {};
}

template <class T>
auto field_types(T& value) {
  constexpr std::size_t n = field_count<T>();
  if constexpr (n == 1) {
    auto& [f1] = value;
    return types_of(f1);
  } else if constexpr (n == 2) {
    auto& [f1, f2] = value;
    return types_of(f1, f2);
  } else if constexpr (n == 3) {
    auto& [f1, f2, f3] = value;
    return types_of(f1, f2, f3);
  } else if constexpr (n == 4) {
    auto& [f1, f2, f3, f4] = value;
    return types_of(f1, f2, f3, f4);
  } else if constexpr (n == 5) {
    auto& [f1, f2, f3, f4, f5] = value;
    return types_of(f1, f2, f3, f4, f5);
  } else if constexpr (n == 6) {
    auto& [f1, f2, f3, f4, f5, f6] = value;
    return types_of(f1, f2, f3, f4, f5, f6);
  } else if constexpr (n == 7) {
    auto& [f1, f2, f3, f4, f5, f6, f7] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7);
  } else if constexpr (n == 8) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8);
  } else if constexpr (n == 9) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9);
  } else if constexpr (n == 10) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10);
  } else if constexpr (n == 11) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11);
  } else if constexpr (n == 12) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12);
  } else if constexpr (n == 13) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13);
  } else if constexpr (n == 14) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14);
  } else if constexpr (n == 15) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15);
  } else if constexpr (n == 16) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = value;
    return types_of(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16);
  }
}

template <class T>
inline constexpr bool holds_views = decltype(field_types(std::declval<T&>()))::hold_views;

template <class T, class Row>
T make_aggregate(const Row& row) {
  return decltype(field_types(std::declval<T&>()))::template make<T>(row);
}

}  // namespace carrel::db
