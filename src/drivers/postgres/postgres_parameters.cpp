#include "drivers/postgres/postgres_parameters.h"

#include <endian.h>

#include <bit>

#include "carrel/db/sql_error.h"

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

void append_big_endian(std::string& to, std::uint64_t value) {
  const std::uint64_t swapped = htobe64(value);
  to.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
}

std::uint64_t micros_of(Timestamp at) noexcept {
  return static_cast<std::uint64_t>(at.time_since_epoch().count() - kEpochMicros);
}

}  // namespace

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
      return kInferred;
  }
  return kInferred;
}

void Parameters::require_fits(const Value& value) {
  // The very least number means -infinity.
  if (value.kind() == ValueKind::timestamp &&
      value.timestamp().time_since_epoch().count() <= INT64_MIN + kEpochMicros)
    throw SqlError("sql.value_out_of_range",
                   {.message = "a timestamp is before PostgreSQL's time"});
}

void Parameters::encode(std::span<const Value> values) {
  types_.clear();
  offsets_.clear();
  lengths_.clear();
  formats_.clear();
  store_.clear();
  for (const auto& value : values) {
    const std::size_t offset = store_.size();
    int format = kBinaryFormat;
    switch (value.kind()) {
      case ValueKind::null:
        break;
      case ValueKind::integer:
        append_big_endian(store_, static_cast<std::uint64_t>(value.integer()));
        break;
      case ValueKind::real:
        append_big_endian(store_, std::bit_cast<std::uint64_t>(value.real()));
        break;
      case ValueKind::text:
        store_ += value.text();
        format = kTextFormat;
        break;
      case ValueKind::bytes:
        store_.append(reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size());
        break;
      case ValueKind::timestamp:
        append_big_endian(store_, micros_of(value.timestamp()));
        break;
      case ValueKind::uuid:
        store_.append(reinterpret_cast<const char*>(value.uuid().bytes.data()), 16);
        break;
    }
    types_.push_back(oid_of(value.kind()));
    offsets_.push_back(value.is_null() ? kNull : offset);
    lengths_.push_back(static_cast<int>(store_.size() - offset));
    formats_.push_back(format);
    store_ += '\0';  // libpq reads texts up to here
  }
  pointers_.clear();
  for (const auto offset : offsets_)
    pointers_.push_back(offset == kNull ? nullptr : store_.data() + offset);
}

}  // namespace carrel::postgres
