// Rows, by the type of their column: of a prepared statement, or of one that went as text.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "db/timestamp_text.h"
#include "drivers/mariadb/mariadb_statement.h"

namespace carrel::mariadb {
namespace {

constexpr unsigned kBinaryCharset = 63;

enum class Form { integer, unsigned_integer, real, decimal, time, uuid, bits, bytes, text };

bool is_uuid(const MYSQL_FIELD& field) noexcept {
  MARIADB_CONST_STRING name{};
  return mariadb_field_attr(&name, &field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME) == 0 &&
         std::string_view(name.str, name.length) == "uuid";
}

Form form_of(const MYSQL_FIELD& field) noexcept {
  switch (field.type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_YEAR:
      return Form::integer;
    case MYSQL_TYPE_LONGLONG:
      return (field.flags & UNSIGNED_FLAG) != 0 ? Form::unsigned_integer : Form::integer;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
      return Form::real;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
      return field.decimals == 0 ? Form::decimal : Form::text;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
      return Form::time;
    case MYSQL_TYPE_BIT:
      return Form::bits;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_NULL:
      return Form::text;
    default:
      if (is_uuid(field)) return Form::uuid;
      return field.charsetnr == kBinaryCharset ? Form::bytes : Form::text;
  }
}

std::optional<Timestamp> timestamp_of(const MYSQL_TIME& time) noexcept {
  using namespace std::chrono;
  const year_month_day date{year(static_cast<int>(time.year)), month(time.month), day(time.day)};
  if (!date.ok()) return std::nullopt;  // 0000-00-00, where the server's mode lets it in
  return Timestamp(sys_days(date)) + hours(time.hour) + minutes(time.minute) +
         seconds(time.second) + microseconds(time.second_part);
}

template <class Number>
bool parse(std::string_view content, Number& number) noexcept {
  const auto [end, error] =
      std::from_chars(content.data(), content.data() + content.size(), number);
  return error == std::errc() && end == content.data() + content.size();
}

void add_string(Result::Builder& row, Form form, std::string_view content) {
  std::int64_t integer = 0;
  switch (form) {
    case Form::decimal:
      // Sums of integers are decimals without a fraction.
      if (parse(content, integer)) return row.add_integer(integer);
      return row.add_text(content);
    case Form::bits:
      if (content.size() > 8 || (content.size() == 8 && content.front() < 0)) break;
      for (const char byte : content) integer = integer << 8 | static_cast<unsigned char>(byte);
      return row.add_integer(integer);
    case Form::uuid:
      if (const auto uuid = Uuid::parse(content)) return row.add_uuid(*uuid);
      break;
    case Form::text:
      return row.add_text(content);
    default:
      break;
  }
  row.add_bytes(std::as_bytes(std::span(content)));
}

constexpr std::string_view kNoTime = "0000-00-00 00:00:00";

// A cell as the text protocol writes it.
void add_text_cell(Result::Builder& row, Form form, std::string_view content) {
  std::int64_t integer = 0;
  double real = 0;
  switch (form) {
    case Form::integer:
    case Form::unsigned_integer:
      if (parse(content, integer)) return row.add_integer(integer);
      return row.add_text(content);
    case Form::real:
      if (parse(content, real)) return row.add_real(real);
      return row.add_text(content);
    case Form::time:
      if (const auto time = db::parse_timestamp(content)) return row.add_timestamp(*time);
      return row.add_text(kNoTime);
    default:
      return add_string(row, form, content);
  }
}

// A FLOAT is written with six digits, and a DOUBLE that has a scale with as many as that says.
bool is_exact_as_text(const MYSQL_FIELD& field) noexcept {
  constexpr unsigned no_scale = 31;
  if (field.type == MYSQL_TYPE_FLOAT) return false;
  return field.type != MYSQL_TYPE_DOUBLE || field.decimals >= no_scale;
}

// Takes the cells of the row that was fetched last.
class Cells {
 public:
  Cells(MYSQL_STMT* statement, const MYSQL_RES* metadata)
      : statement_(statement), columns_(mysql_num_fields(const_cast<MYSQL_RES*>(metadata))) {
    const auto* fields = mysql_fetch_fields(const_cast<MYSQL_RES*>(metadata));
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      columns_[i].form = form_of(fields[i]);
      binds_.push_back(bind_of(columns_[i]));
    }
  }

  [[nodiscard]] bool bind() { return mysql_stmt_bind_result(statement_, binds_.data()) == 0; }

  // False where libmariadb would not give a cell.
  [[nodiscard]] bool add_to(Result::Builder& row) {
    for (std::size_t i = 0; i < columns_.size(); ++i) add(row, static_cast<unsigned>(i));
    return !refused_;
  }

 private:
  struct Column {
    Form form = Form::text;
    std::int64_t integer = 0;
    double real = 0;
    MYSQL_TIME time{};
    unsigned long length = 0;
    my_bool null = 0;
  };

  static MYSQL_BIND bind_of(Column& column) noexcept {
    MYSQL_BIND bind{};
    bind.is_null = &column.null;
    bind.length = &column.length;
    switch (column.form) {
      case Form::integer:
      case Form::unsigned_integer:
        bind.buffer_type = MYSQL_TYPE_LONGLONG;
        bind.buffer = &column.integer;
        bind.is_unsigned = static_cast<my_bool>(column.form == Form::unsigned_integer);
        break;
      case Form::real:
        bind.buffer_type = MYSQL_TYPE_DOUBLE;
        bind.buffer = &column.real;
        break;
      case Form::time:
        bind.buffer_type = MYSQL_TYPE_DATETIME;
        bind.buffer = &column.time;
        break;
      default:  // only the length at first; the bytes once it is known
        bind.buffer_type = column.form == Form::bytes || column.form == Form::bits
                               ? MYSQL_TYPE_BLOB
                               : MYSQL_TYPE_STRING;
    }
    return bind;
  }

  void add(Result::Builder& row, unsigned at) {
    const auto& column = columns_[at];
    if (column.null != 0) return row.add_null();
    switch (column.form) {
      case Form::integer:
        return row.add_integer(column.integer);
      case Form::unsigned_integer:
        if (column.integer >= 0) return row.add_integer(column.integer);
        return row.add_text(std::to_string(static_cast<std::uint64_t>(column.integer)));
      case Form::real:
        return row.add_real(column.real);
      case Form::time:
        if (const auto time = timestamp_of(column.time)) return row.add_timestamp(*time);
        return row.add_text(kNoTime);
      default:
        return add_string(row, column.form, content(at));
    }
  }

  std::string_view content(unsigned at) {
    const auto length = columns_[at].length;
    if (length == 0) return "";
    if (buffer_.size() < length) buffer_.resize(length);
    MYSQL_BIND bind = binds_[at];
    unsigned long taken = 0;
    my_bool null = 0;
    bind.buffer = buffer_.data();
    bind.buffer_length = buffer_.size();
    bind.length = &taken;
    bind.is_null = &null;
    if (mysql_stmt_fetch_column(statement_, &bind, at, 0) != 0) refused_ = true;
    return {buffer_.data(), length};
  }

  MYSQL_STMT* statement_;
  std::vector<Column> columns_;
  std::vector<MYSQL_BIND> binds_;
  std::vector<char> buffer_;
  bool refused_ = false;
};

using Fields = std::span<const MYSQL_FIELD>;

std::shared_ptr<const Result::Columns> columns_of(Fields fields) {
  auto columns = std::make_shared<Result::Columns>();
  for (const auto& field : fields) columns->emplace_back(field.name, field.name_length);
  return columns;
}

// As this execution called its columns: what the statement keeps are the names of the day when it
// was prepared, though a table may have been altered since.
Fields fields_of(const MYSQL_STMT* statement) noexcept {
  return {statement->mysql->fields, statement->mysql->field_count};
}

}  // namespace

std::optional<Result> fetch_rows(MYSQL_STMT* statement, const remote::StatementText& text) {
  const auto changed = static_cast<std::int64_t>(mysql_stmt_affected_rows(statement));
  const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> metadata(
      mysql_stmt_result_metadata(statement), &mysql_free_result);
  if (!metadata) return Result::Builder(nullptr).finish(std::max<std::int64_t>(changed, 0));

  Cells cells(statement, metadata.get());
  Result::Builder rows(columns_of(fields_of(statement)));
  std::int64_t count = 0;
  if (!cells.bind()) return std::nullopt;
  int fetched = mysql_stmt_fetch(statement);
  for (; fetched == 0 || fetched == MYSQL_DATA_TRUNCATED; fetched = mysql_stmt_fetch(statement)) {
    if (!cells.add_to(rows)) return std::nullopt;
    ++count;
  }
  if (fetched != MYSQL_NO_DATA) return std::nullopt;
  // RETURNING: as many rows as were changed.
  const bool changes = text.is_query && !text.only_reads && text.first_word != "select" &&
                       text.first_word != "with" && text.first_word != "values";
  return rows.finish(changes ? count : 0);
}

std::optional<Result> text_rows(const Replies& replies) {
  auto* const rows = replies.rows.get();
  if (rows == nullptr) return Result::Builder(nullptr).finish(replies.changed);
  const Fields fields(mysql_fetch_fields(rows), mysql_num_fields(rows));
  if (!std::ranges::all_of(fields, is_exact_as_text)) return std::nullopt;
  std::vector<Form> forms;
  for (const auto& field : fields) forms.push_back(form_of(field));
  Result::Builder made(columns_of(fields));
  while (char** row = mysql_fetch_row(rows)) {
    const auto* lengths = mysql_fetch_lengths(rows);
    for (std::size_t i = 0; i < forms.size(); ++i) {
      if (row[i] == nullptr) {
        made.add_null();
      } else {
        add_text_cell(made, forms[i], {row[i], lengths[i]});
      }
    }
  }
  return made.finish(0);
}

}  // namespace carrel::mariadb
