#include "drivers/postgres/postgres_rows.h"

#include <charconv>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "db/timestamp_text.h"

namespace carrel::postgres {
namespace {

// pg_type.dat of PostgreSQL 15.
enum TypeOid : Oid {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kOid = 26,
  kXid = 28,
  kFloat4 = 700,
  kFloat8 = 701,
  kTimestamp = 1114,
  kTimestamptz = 1184,
  kNumeric = 1700,
  kVoid = 2278,
  kUuid = 2950,
  kXid8 = 5069
};

int nibble(char c) noexcept {
  return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

void add_bytea(Result::Builder& row, std::string_view text) {
  if (!text.starts_with("\\x")) {  // bytea_output = escape
    std::size_t size = 0;
    const std::unique_ptr<unsigned char, decltype(&PQfreemem)> raw(
        PQunescapeBytea(reinterpret_cast<const unsigned char*>(text.data()), &size), &PQfreemem);
    row.add_bytes({reinterpret_cast<const std::byte*>(raw.get()), size});
    return;
  }
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 2; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(nibble(text[i]) * 16 + nibble(text[i + 1])));
  row.add_bytes(bytes);
}

template <class Number>
bool parse(std::string_view text, Number& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// A numeric that was declared with a fraction keeps it as text; sums and whole numbers come as
// integers where they fit, since that is what they were summed from.
bool is_whole_numeric(int modifier) noexcept {
  constexpr int header = 4;
  return modifier < header || ((modifier - header) & 0x7ff) == 0;
}

void add_cell(Result::Builder& row, const PGresult* result, Oid type, int column,
              std::string_view text) {
  std::int64_t integer = 0;
  double real = 0;
  switch (type) {
    case kBool:
      return row.add_integer(text == "t" ? 1 : 0);
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid:
    case kXid:
    case kXid8:
      if (parse(text, integer)) return row.add_integer(integer);
      break;
    case kNumeric:
      if (is_whole_numeric(PQfmod(result, column)) && parse(text, integer))
        return row.add_integer(integer);
      break;
    case kFloat4:
    case kFloat8:
      if (parse(text, real)) return row.add_real(real);
      break;
    case kBytea:
      return add_bytea(row, text);
    case kTimestamp:
    case kTimestamptz:
      if (const auto at = db::parse_timestamp(text)) return row.add_timestamp(*at);
      break;  // infinity, before our era, or another DateStyle
    case kUuid:
      if (const auto uuid = Uuid::parse(text)) return row.add_uuid(*uuid);
      break;
    case kVoid:
      return row.add_null();
    default:
      break;
  }
  row.add_text(text);
}

// By the tag of the command, "UPDATE 3" or "INSERT 0 3". PQcmdTuples would count the rows of a
// SELECT as well.
std::int64_t rows_changed(std::string_view tag) noexcept {
  std::int64_t count = 0;
  if (tag.starts_with("INSERT") || tag.starts_with("UPDATE") || tag.starts_with("DELETE") ||
      tag.starts_with("MERGE"))
    static_cast<void>(parse(tag.substr(tag.rfind(' ') + 1), count));
  return count;
}

}  // namespace

std::shared_ptr<const Result::Columns> columns_of(const PGresult* result) {
  const int width = PQnfields(result);
  if (width == 0) return nullptr;
  auto columns = std::make_shared<Result::Columns>();
  for (int i = 0; i < width; ++i) columns->emplace_back(PQfname(result, i));
  return columns;
}

Result rows_of(const PGresult* result, std::shared_ptr<const Result::Columns> columns) {
  Result::Builder row(std::move(columns));
  const int width = PQnfields(result);
  const int height = PQntuples(result);
  for (int at = 0; at < height; ++at) {
    for (int column = 0; column < width; ++column) {
      if (PQgetisnull(result, at, column) != 0) {
        row.add_null();
        continue;
      }
      const auto size = static_cast<std::size_t>(PQgetlength(result, at, column));
      add_cell(row, result, PQftype(result, column), column,
               {PQgetvalue(result, at, column), size});
    }
  }
  return row.finish(rows_changed(PQcmdStatus(const_cast<PGresult*>(result))));
}

}  // namespace carrel::postgres
