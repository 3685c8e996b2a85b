#include "carrel/db/result.h"

#include <cstring>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "db/timestamp_text.h"

namespace carrel {
namespace {

[[noreturn]] void throw_mismatch(std::size_t column, ValueKind is, std::string_view wanted) {
  if (is == ValueKind::null)
    throw Error("sql.null_value", "column " + std::to_string(column) +
                                      " is null; ask for a std::optional where that may be");
  throw Error("sql.type_mismatch", "column " + std::to_string(column) + " is " +
                                       std::string(to_string(is)) + ", asked for as " +
                                       std::string(wanted));
}

}  // namespace

std::span<const std::string> Result::columns() const noexcept {
  return columns_ ? std::span<const std::string>(*columns_) : std::span<const std::string>();
}

const Result::Cell& Result::cell(std::size_t row, std::size_t column) const {
  const std::size_t width = columns_ ? columns_->size() : 0;
  if (column >= width) {
    throw Error("sql.no_column", "the result has " + std::to_string(width) +
                                     " columns, asked for number " + std::to_string(column));
  }
  CARREL_ASSERT(row < row_count_, "row " + std::to_string(row) + " of " +
                                      std::to_string(row_count_) + " was asked for");
  return cells_[row * width + column];
}

void Result::require_one() const {
  if (row_count_ == 1) return;
  throw Error("sql.unexpected_rows",
              "exactly one row was expected, and there are " + std::to_string(row_count_));
}

Row Result::one() const& {
  require_one();
  return {*this, 0};
}

OwnedRow Result::one() && {
  require_one();
  return {std::move(*this), 0};
}

std::optional<Row> Result::first() const& {
  if (empty()) return std::nullopt;
  return Row(*this, 0);
}

std::optional<OwnedRow> Result::first() && {
  if (empty()) return std::nullopt;
  return OwnedRow(std::move(*this), 0);
}

std::size_t Row::size() const noexcept {
  return result_->columns().size();
}

bool Row::is_null(std::size_t column) const {
  return kind(column) == ValueKind::null;
}

ValueKind Row::kind(std::size_t column) const {
  return result_->cell(row_, column).kind;
}

std::size_t Row::index_of(std::string_view column) const {
  const auto names = result_->columns();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == column) return i;
  }
  throw Error("sql.no_column", "the result has no column '" + std::string(column) + "'");
}

void Row::require_columns(std::size_t count) const {
  if (size() == count) return;
  throw Error("sql.unexpected_columns", "the result has " + std::to_string(size()) +
                                            " columns for " + std::to_string(count) + " fields");
}

std::int64_t Row::integer(std::size_t column, std::int64_t min, std::int64_t max) const {
  const auto& cell = result_->cell(row_, column);
  if (cell.kind != ValueKind::integer) throw_mismatch(column, cell.kind, "an integer");
  if (cell.integer < min || cell.integer > max)
    throw Error("sql.value_out_of_range",
                "column " + std::to_string(column) + " does not fit the type asked for");
  return cell.integer;
}

double Row::real(std::size_t column) const {
  const auto& cell = result_->cell(row_, column);
  if (cell.kind == ValueKind::real) return cell.real;
  if (cell.kind != ValueKind::integer) throw_mismatch(column, cell.kind, "a real");
  constexpr std::int64_t exact_max = std::int64_t{1} << 53;  // doubles hold 53 bits exactly
  if (cell.integer < -exact_max || cell.integer > exact_max)
    throw Error("sql.value_out_of_range",
                "column " + std::to_string(column) + " would lose digits as a real");
  return static_cast<double>(cell.integer);
}

std::string_view Row::text(std::size_t column) const {
  const auto& cell = result_->cell(row_, column);
  if (cell.kind != ValueKind::text) throw_mismatch(column, cell.kind, "text");
  return {result_->text_.data() + cell.offset, cell.size};
}

std::span<const std::byte> Row::bytes(std::size_t column) const {
  const auto& cell = result_->cell(row_, column);
  if (cell.kind != ValueKind::bytes && cell.kind != ValueKind::text)
    throw_mismatch(column, cell.kind, "bytes");
  return std::as_bytes(std::span(result_->text_.data() + cell.offset, cell.size));
}

Timestamp Row::timestamp(std::size_t column) const {
  const auto& cell = result_->cell(row_, column);
  if (cell.kind == ValueKind::timestamp || cell.kind == ValueKind::integer)
    return Timestamp(std::chrono::microseconds(cell.integer));
  if (cell.kind != ValueKind::text) throw_mismatch(column, cell.kind, "a timestamp");
  const auto at = db::parse_timestamp(text(column));
  if (!at) throw_mismatch(column, cell.kind, "a timestamp");
  return *at;
}

Uuid Row::uuid(std::size_t column) const {
  const auto& cell = result_->cell(row_, column);
  if (cell.kind == ValueKind::text) {
    if (const auto uuid = Uuid::parse(text(column))) return *uuid;
  } else if ((cell.kind == ValueKind::uuid || cell.kind == ValueKind::bytes) && cell.size == 16) {
    Uuid uuid;
    std::memcpy(uuid.bytes.data(), result_->text_.data() + cell.offset, uuid.bytes.size());
    return uuid;
  }
  throw_mismatch(column, cell.kind, "a uuid");
}

Result::Builder::Builder(std::shared_ptr<const Columns> columns) {
  result_.columns_ = std::move(columns);
}

void Result::Builder::add_null() {
  result_.cells_.emplace_back();
}

void Result::Builder::add_integer(std::int64_t value) {
  auto& cell = result_.cells_.emplace_back();
  cell.kind = ValueKind::integer;
  cell.integer = value;
}

void Result::Builder::add_real(double value) {
  auto& cell = result_.cells_.emplace_back();
  cell.kind = ValueKind::real;
  cell.real = value;
}

void Result::Builder::add_view(ValueKind kind, const void* data, std::size_t size) {
  if (size > UINT32_MAX) throw Error("sql.too_big", "a value of 4 GiB or more");
  auto& cell = result_.cells_.emplace_back();
  cell.kind = kind;
  cell.size = static_cast<std::uint32_t>(size);
  cell.offset = result_.text_.size();
  const auto* first = static_cast<const char*>(data);
  if (size != 0) result_.text_.insert(result_.text_.end(), first, first + size);
}

void Result::Builder::add_text(std::string_view text) {
  add_view(ValueKind::text, text.data(), text.size());
}

void Result::Builder::add_bytes(std::span<const std::byte> bytes) {
  add_view(ValueKind::bytes, bytes.data(), bytes.size());
}

void Result::Builder::add_timestamp(Timestamp at) {
  auto& cell = result_.cells_.emplace_back();
  cell.kind = ValueKind::timestamp;
  cell.integer = at.time_since_epoch().count();
}

void Result::Builder::add_uuid(const Uuid& uuid) {
  add_view(ValueKind::uuid, uuid.bytes.data(), uuid.bytes.size());
}

Result Result::Builder::finish(std::int64_t affected_rows) {
  const std::size_t width = result_.columns_ ? result_.columns_->size() : 0;
  CARREL_ASSERT(width == 0 ? result_.cells_.empty() : result_.cells_.size() % width == 0,
                "a driver built an incomplete row");
  result_.row_count_ = width == 0 ? 0 : result_.cells_.size() / width;
  result_.affected_rows_ = affected_rows;
  return std::move(result_);
}

}  // namespace carrel
