#include "drivers/postgres/postgres_parameters.h"

#include <endian.h>

#include <bit>
#include <cstring>

#include "carrel/db/sql_error.h"
#include "drivers/postgres/postgres_array.h"
#include "drivers/postgres/postgres_error.h"

namespace carrel::postgres {
namespace {

constexpr Oid kInt8 = 20;
constexpr Oid kFloat8 = 701;
constexpr Oid kBytea = 17;
constexpr Oid kTimestamptz = 1184;
constexpr Oid kUuid = 2950;
constexpr Oid kInferred = 0;

constexpr int kTextFormat = 0;
constexpr int kBinaryFormat = 1;

Oid oid_of(ValueKind kind) noexcept {
  switch (kind) {
    case ValueKind::integer:
      return kInt8;
    case ValueKind::real:
      return kFloat8;
    case ValueKind::bytes:
      return kBytea;
    case ValueKind::timestamp:
      return kTimestamptz;
    case ValueKind::uuid:
      return kUuid;
    case ValueKind::null:
    case ValueKind::text:
    case ValueKind::array:  // see put_array()
      return kInferred;
  }
  return kInferred;
}

[[noreturn]] void throw_too_early(std::size_t place, std::string_view sql) {
  throw SqlError("sql.value_out_of_range", {.message = "parameter $" + std::to_string(place + 1) +
                                                       " is a timestamp before PostgreSQL's time",
                                            .statement = sql,
                                            .dialect = &kDialect});
}

[[noreturn]] void throw_too_big(std::string_view sql) {
  throw SqlError("sql.too_big", {.message = "the parameters are about a gigabyte or more",
                                 .statement = sql,
                                 .dialect = &kDialect});
}

}  // namespace

void Parameters::require_fit(std::span<const Value> values, std::string_view sql) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& value = values[i];
    if (value.kind() == ValueKind::text) bytes += value.text().size();
    if (value.kind() == ValueKind::bytes) bytes += value.bytes().size();
    if (value.kind() == ValueKind::array)
      bytes += require_fits(value.array(), {.number = i + 1, .sql = sql});
    if (value.kind() == ValueKind::timestamp && !fits(value.timestamp())) throw_too_early(i, sql);
  }
  if (bytes > kBytesMax) throw_too_big(sql);
}

void Parameters::grow(std::size_t count) {
  types_.resize(count);
  pointers_.resize(count);
  lengths_.resize(count);
  formats_.resize(count);
  fixed_.resize(count);
}

// With the end that libpq looks for. The room is made first, so that nothing moves.
void Parameters::put_texts(std::span<const Value> values, std::size_t bytes) {
  texts_.clear();
  texts_.reserve(bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].kind() != ValueKind::text) continue;
    pointers_[i] = texts_.data() + texts_.size();
    texts_.append(values[i].text()).push_back('\0');
  }
}

void Parameters::put_array(std::size_t place, const Array& array) {
  // All places at once, so that what the pointers of this statement's arrays point to does not
  // move.
  if (arrays_.size() <= place) arrays_.resize(pointers_.size());
  auto& encoded = arrays_[place];
  encode_array(array, encoded);
  types_[place] = array_type_of(array.kind());
  pointers_[place] = encoded.data();
  lengths_[place] = static_cast<int>(encoded.size());
}

bool Parameters::encode(std::span<const Value> values) {
  if (values.size() > pointers_.size()) grow(values.size());
  count_ = static_cast<int>(values.size());
  // Looked up once: for all that the compiler knows, each write below could move the vectors.
  auto* const types = types_.data();
  auto* const pointers = pointers_.data();
  auto* const lengths = lengths_.data();
  auto* const formats = formats_.data();
  auto* const fixed = fixed_.data();
  const auto put_fixed = [&](std::size_t place, const auto& bytes) {
    static_assert(sizeof bytes <= sizeof(Fixed));
    std::memcpy(fixed[place].bytes.data(), &bytes, sizeof bytes);
    pointers[place] = fixed[place].bytes.data();
    lengths[place] = sizeof bytes;
  };
  std::size_t text_bytes = 0;
  std::size_t blob_bytes = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& value = values[i];
    types[i] = oid_of(value.kind());
    formats[i] = value.kind() == ValueKind::text ? kTextFormat : kBinaryFormat;
    switch (value.kind()) {
      case ValueKind::null:
        pointers[i] = nullptr;
        break;
      case ValueKind::integer:
        put_fixed(i, htobe64(static_cast<std::uint64_t>(value.integer())));
        break;
      case ValueKind::real:
        put_fixed(i, htobe64(std::bit_cast<std::uint64_t>(value.real())));
        break;
      case ValueKind::timestamp:
        if (!fits(value.timestamp())) [[unlikely]]
          return false;
        put_fixed(i, htobe64(micros_of(value.timestamp())));
        break;
      case ValueKind::text:
        text_bytes += value.text().size() + 1;
        break;
      case ValueKind::bytes:
        // Null would mean that there are none at all.
        pointers[i] =
            value.bytes().empty() ? "" : reinterpret_cast<const char*>(value.bytes().data());
        lengths[i] = static_cast<int>(value.bytes().size());
        blob_bytes += value.bytes().size();
        if (blob_bytes > kBytesMax) [[unlikely]]
          return false;
        break;
      case ValueKind::uuid:
        put_fixed(i, value.uuid().bytes);
        break;
      case ValueKind::array:
        put_array(i, value.array());
        break;
    }
  }
  if (text_bytes != 0) {
    if (text_bytes + blob_bytes > kBytesMax) [[unlikely]]
      return false;
    put_texts(values, text_bytes);
  }
  return true;
}

}  // namespace carrel::postgres
