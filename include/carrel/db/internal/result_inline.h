// The template bodies of result.h. Not for inclusion by itself.
#pragma once

#include <limits>
#include <type_traits>

#include "carrel/db/result.h"

namespace carrel {

namespace db {
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
}  // namespace db

template <class T>
T Row::get(std::size_t column) const {
  if constexpr (db::is_optional<T>) {
    if (is_null(column)) return std::nullopt;
    return get<typename T::value_type>(column);
  } else if constexpr (std::is_same_v<T, bool>) {
    return integer(column, 0, 1) != 0;
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    constexpr auto max = sizeof(T) == 8 ? INT64_MAX : static_cast<std::int64_t>(Limits::max());
    return static_cast<T>(integer(column, static_cast<std::int64_t>(Limits::min()), max));
  } else if constexpr (std::is_same_v<T, double>) {
    return real(column);
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return text(column);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::string(text(column));
  } else if constexpr (std::is_same_v<T, Bytes>) {
    const auto view = bytes(column);
    return Bytes(view.begin(), view.end());
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    return timestamp(column);
  } else {
    static_assert(std::is_same_v<T, Uuid>, "Row::get knows no conversion to this type");
    return uuid(column);
  }
}

inline Result::Iterator Result::begin() const noexcept {
  return {*this, 0};
}
inline Result::Iterator Result::end() const noexcept {
  return {*this, row_count_};
}

template <class T>
std::vector<T> Result::to() const& {
  std::vector<T> values;
  values.reserve(row_count_);
  for (const Row row : *this) values.push_back(row.to<T>());
  return values;
}

}  // namespace carrel
