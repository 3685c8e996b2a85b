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

}  // namespace

void Parameters::require_fits(const Value& value) {
  // The very least number means -infinity.
  if (value.kind() == ValueKind::timestamp &&
      value.timestamp().time_since_epoch().count() <= INT64_MIN + kEpochMicros)
    throw SqlError("sql.value_out_of_range",
                   {.message = "a timestamp is before PostgreSQL's time"});
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

void Parameters::encode(std::span<const Value> values) {
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
        require_fits(value);
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
        break;
      case ValueKind::uuid:
        put_fixed(i, value.uuid().bytes);
        break;
    }
  }
  if (text_bytes != 0) put_texts(values, text_bytes);
}

}  // namespace carrel::postgres
