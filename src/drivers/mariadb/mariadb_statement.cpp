#include "drivers/mariadb/mariadb_statement.h"

#include <algorithm>
#include <chrono>

#include "db/sql_scanner.h"
#include "db/timestamp_text.h"
#include "drivers/mariadb/mariadb_error.h"

namespace carrel::mariadb {

Translated translate(std::string_view sql) {
  Translated made;
  made.sql.reserve(sql.size());
  db::SqlScanner scanner(sql, kDialect);
  while (const auto token = scanner.next()) {
    const auto number =
        token->kind == db::TokenKind::parameter ? db::parameter_number(token->text) : 0;
    if (number == 0) {
      made.sql += token->text;
    } else {
      made.sql += '?';
      made.order.push_back(number - 1);
    }
  }
  return made;
}

// Several statements in one text would all run: a prepared one is refused instead. What changes
// rows and returns some cannot be asked twice.
bool may_go_as_text(std::string_view sql, const remote::StatementText& text) {
  if (text.parameters != 0 || !text.is_query || sql.find(';') != std::string_view::npos)
    return false;
  if (text.only_reads) return true;
  const auto same_letter = [](char a, char b) { return (a | 0x20) == b; };
  constexpr std::string_view returning = "returning";
  const bool returns = !std::ranges::search(sql, returning, same_letter).empty();
  const auto& first = text.first_word;
  return !returns &&
         (first == "insert" || first == "update" || first == "delete" || first == "replace");
}

std::string quoted(std::string_view name) {
  std::string made = "`";
  for (const char c : name) made += c == '`' ? std::string("``") : std::string(1, c);
  return made + "`";
}

MYSQL_TIME time_of(Timestamp at) noexcept {
  using namespace std::chrono;
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  MYSQL_TIME time{};
  time.year = static_cast<unsigned>(static_cast<int>(date.year()));
  time.month = static_cast<unsigned>(date.month());
  time.day = static_cast<unsigned>(date.day());
  time.hour = static_cast<unsigned>(clock.hours().count());
  time.minute = static_cast<unsigned>(clock.minutes().count());
  time.second = static_cast<unsigned>(clock.seconds().count());
  time.second_part = static_cast<unsigned long>(clock.subseconds().count());
  time.time_type = MYSQL_TIMESTAMP_DATETIME;
  return time;
}

Binding::Binding(std::span<const Value> values, std::span<const std::size_t> order)
    : binds_(order.size()), slots_(order.size()) {
  uuids_.reserve(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) fill(binds_[i], slots_[i], values[order[i]]);
}

void Binding::fill(MYSQL_BIND& bind, Slot& slot, const Value& value) {
  bind.length = &slot.length;
  const auto borrow = [&](const void* data, std::size_t size) {
    // Without an address it would be null. libmariadb only reads it.
    bind.buffer = const_cast<void*>(data == nullptr ? "" : data);
    bind.buffer_length = slot.length = size;
  };
  switch (value.kind()) {
    case ValueKind::null:
      bind.buffer_type = MYSQL_TYPE_NULL;
      break;
    case ValueKind::integer:
      slot.integer = value.integer();
      bind.buffer_type = MYSQL_TYPE_LONGLONG;
      bind.buffer = &slot.integer;
      break;
    case ValueKind::real:
      slot.real = value.real();
      bind.buffer_type = MYSQL_TYPE_DOUBLE;
      bind.buffer = &slot.real;
      break;
    case ValueKind::text:
      bind.buffer_type = MYSQL_TYPE_STRING;
      borrow(value.text().data(), value.text().size());
      break;
    case ValueKind::bytes:
      bind.buffer_type = MYSQL_TYPE_BLOB;
      borrow(value.bytes().data(), value.bytes().size());
      break;
    case ValueKind::timestamp:
      db::require_four_digit_year(value.timestamp());
      slot.time = time_of(value.timestamp());
      bind.buffer_type = MYSQL_TYPE_DATETIME;
      bind.buffer = &slot.time;
      break;
    case ValueKind::uuid:
      // Sixteen bytes fit a UUID column as well as a BINARY(16) one.
      uuids_.push_back(value.uuid());
      bind.buffer_type = MYSQL_TYPE_BLOB;
      borrow(uuids_.back().bytes.data(), 16);
      break;
    case ValueKind::array:
      break;  // MariadbConnection refuses it
  }
}

bool Binding::bind_to(MYSQL_STMT* statement) {
  return binds_.empty() || mysql_stmt_bind_param(statement, binds_.data()) == 0;
}

}  // namespace carrel::mariadb
