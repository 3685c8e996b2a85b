#include "drivers/postgres/postgres_parameters.h"

#include <endian.h>

#include <bit>
#include <cstring>

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

const char* Parameters::put_number(std::size_t place, std::uint64_t value) noexcept {
  const std::uint64_t swapped = htobe64(value);
  auto& bytes = fixed_[place].bytes;
  std::memcpy(bytes.data(), &swapped, sizeof swapped);
  return bytes.data();
}

// With the end that libpq looks for. The room was made before, so that nothing moves.
const char* Parameters::put_text(std::string_view text) {
  const auto offset = texts_.size();
  texts_.append(text).push_back('\0');
  return texts_.data() + offset;
}

void Parameters::make_room(std::span<const Value> values) {
  if (values.size() > pointers_.size()) {
    types_.resize(values.size());
    pointers_.resize(values.size());
    lengths_.resize(values.size());
    formats_.resize(values.size());
    fixed_.resize(values.size());
  }
  std::size_t text_bytes = 0;
  for (const auto& value : values) {
    if (value.kind() == ValueKind::text) text_bytes += value.text().size() + 1;
  }
  texts_.clear();
  texts_.reserve(text_bytes);
}

void Parameters::encode(std::span<const Value> values) {
  make_room(values);
  count_ = static_cast<int>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& value = values[i];
    types_[i] = oid_of(value.kind());
    lengths_[i] = sizeof(std::uint64_t);
    formats_[i] = kBinaryFormat;
    switch (value.kind()) {
      case ValueKind::null:
        pointers_[i] = nullptr;
        break;
      case ValueKind::integer:
        pointers_[i] = put_number(i, static_cast<std::uint64_t>(value.integer()));
        break;
      case ValueKind::real:
        pointers_[i] = put_number(i, std::bit_cast<std::uint64_t>(value.real()));
        break;
      case ValueKind::timestamp:
        pointers_[i] = put_number(i, micros_of(value.timestamp()));
        break;
      case ValueKind::text:
        pointers_[i] = put_text(value.text());
        formats_[i] = kTextFormat;
        break;
      case ValueKind::bytes:
        // Null would mean that there are none at all.
        pointers_[i] =
            value.bytes().empty() ? "" : reinterpret_cast<const char*>(value.bytes().data());
        lengths_[i] = static_cast<int>(value.bytes().size());
        break;
      case ValueKind::uuid:
        std::memcpy(fixed_[i].bytes.data(), value.uuid().bytes.data(), sizeof(Fixed));
        pointers_[i] = fixed_[i].bytes.data();
        lengths_[i] = sizeof(Fixed);
        break;
    }
  }
}

}  // namespace carrel::postgres
