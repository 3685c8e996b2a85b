#include "drivers/postgres/postgres_array.h"

#include <endian.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "carrel/db/sql_error.h"
#include "db/utf8.h"
#include "drivers/postgres/postgres_error.h"
#include "drivers/postgres/postgres_parameters.h"

namespace carrel::postgres {
namespace {

struct Types {
  Oid element;
  Oid array;
};

// src/include/catalog/pg_type.dat of PostgreSQL
constexpr Types types_of(ValueKind element) noexcept {
  switch (element) {
    case ValueKind::integer:
      return {20, 1016};
    case ValueKind::real:
      return {701, 1022};
    case ValueKind::bytes:
      return {17, 1001};
    case ValueKind::timestamp:
      return {1184, 1185};
    case ValueKind::uuid:
      return {2950, 2951};
    case ValueKind::text:
    case ValueKind::null:
    case ValueKind::array:
      break;
  }
  return {25, 1009};
}

// MaxArraySize, src/include/utils/array.h
constexpr std::size_t kElementsMax = 0x3fffffff / sizeof(std::uint64_t);

// Dimensions, whether there are nulls, the elements' type; and of the one dimension its size and
// where it begins. Then each element's size, -1 for a null, and its bytes as by itself:
// array_recv() in src/backend/utils/adt/arrayfuncs.c.
constexpr std::size_t kHeadBytes = 20;
constexpr std::size_t kSizeBytes = sizeof(std::uint32_t);

std::size_t bytes_of(const Value& value) noexcept {
  switch (value.kind()) {
    case ValueKind::null:
      return 0;
    case ValueKind::text:
      return value.text().size();
    case ValueKind::bytes:
      return value.bytes().size();
    case ValueKind::uuid:
      return sizeof(Uuid);
    default:
      return sizeof(std::int64_t);
  }
}

[[noreturn]] void refuse(ErrorCode code, const ParameterName& name, const std::string& trouble) {
  throw SqlError(code, {.message = "parameter $" + std::to_string(name.number) + ", " + trouble,
                        .statement = name.sql,
                        .dialect = &kDialect});
}

void require_element(const Array& array, std::size_t i, const Value& value,
                     const ParameterName& name) {
  const auto fail = [&](ErrorCode code, std::string_view trouble) {
    refuse(code, name,
           "element " + std::to_string(i + 1) + " of an array: " + std::string(trouble));
  };
  if (value.is_null()) return;
  if (value.kind() != array.kind()) {
    fail("sql.type_mismatch",
         std::string(to_string(value.kind())) + " among " + std::string(to_string(array.kind())));
  }
  if (value.kind() == ValueKind::text && !db::is_valid_text(value.text()))
    fail("sql.invalid_text", "no valid UTF-8, or holds a NUL; send it as bytes");
  if (value.kind() == ValueKind::timestamp && !fits(value.timestamp()))
    fail("sql.value_out_of_range", "a timestamp before PostgreSQL's time");
}

void put_word(std::string& to, std::uint32_t word) {
  const std::uint32_t big = htobe32(word);
  to.append(reinterpret_cast<const char*>(&big), sizeof big);
}

void put_number(std::string& to, std::uint64_t number) {
  const std::uint64_t big = htobe64(number);
  to.append(reinterpret_cast<const char*>(&big), sizeof big);
}

void put(std::string& to, const Value& value) {
  if (value.is_null()) return put_word(to, UINT32_MAX);
  put_word(to, static_cast<std::uint32_t>(bytes_of(value)));
  switch (value.kind()) {
    case ValueKind::integer:
      return put_number(to, static_cast<std::uint64_t>(value.integer()));
    case ValueKind::real:
      return put_number(to, std::bit_cast<std::uint64_t>(value.real()));
    case ValueKind::timestamp:
      return put_number(to, micros_of(value.timestamp()));
    case ValueKind::text:
      to += value.text();
      return;
    case ValueKind::bytes:
      to.append(reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size());
      return;
    case ValueKind::uuid:
      to.append(reinterpret_cast<const char*>(value.uuid().bytes.data()), sizeof(Uuid));
      return;
    case ValueKind::null:
    case ValueKind::array:
      return;
  }
}

}  // namespace

Oid array_type_of(ValueKind element) noexcept {
  return types_of(element).array;
}

std::size_t require_fits(const Array& array, const ParameterName& name) {
  if (array.kind() == ValueKind::array) refuse("sql.unsupported", name, "an array of arrays");
  if (array.size() > kElementsMax) {
    refuse("sql.too_big", name,
           "an array of more than " + std::to_string(kElementsMax) + " elements");
  }
  std::size_t bytes = kHeadBytes;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const Value value = array[i];
    require_element(array, i, value, name);
    bytes += kSizeBytes + bytes_of(value);
    if (bytes > kBytesMax) refuse("sql.too_big", name, "an array of about a gigabyte or more");
  }
  return bytes;
}

void encode_array(const Array& array, std::string& encoded) {
  std::size_t bytes = kHeadBytes;
  bool has_nulls = false;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const Value value = array[i];
    bytes += kSizeBytes + bytes_of(value);
    has_nulls |= value.is_null();
  }
  encoded.clear();
  encoded.reserve(bytes);
  put_word(encoded, array.size() == 0 ? 0 : 1);
  put_word(encoded, has_nulls ? 1 : 0);
  put_word(encoded, types_of(array.kind()).element);
  if (array.size() == 0) return;
  put_word(encoded, static_cast<std::uint32_t>(array.size()));
  put_word(encoded, 1);
  for (std::size_t i = 0; i < array.size(); ++i) put(encoded, array[i]);
}

}  // namespace carrel::postgres
