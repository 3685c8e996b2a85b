// load(): rows sent by the hundreds in one execution of an INSERT (array binding).
// https://mariadb.com/kb/en/bulk-insert-column-wise-binding/
#include <algorithm>
#include <string>
#include <vector>

#include "db/timestamp_text.h"
#include "drivers/mariadb/mariadb_run.h"

namespace carrel::mariadb {
namespace {

// Below the 16 MiB that a server takes as one packet unless told otherwise.
constexpr std::size_t kChunkBytes = 4 << 20;

// One column of a chunk, as libmariadb wants it: an array of numbers or of pointers.
class BulkColumn {
 public:
  BulkColumn(const BulkRows& rows, std::size_t column, std::size_t first, std::size_t count) {
    const std::size_t width = rows.columns.size();
    stored_.reserve(count);  // pointers into it must stay good
    for (std::size_t row = first; row < first + count; ++row)
      add(rows.values[row * width + column]);
    bind_.buffer_type = type_;
    bind_.buffer = type_ == MYSQL_TYPE_LONGLONG ? static_cast<void*>(integers_.data())
                   : type_ == MYSQL_TYPE_DOUBLE ? static_cast<void*>(reals_.data())
                                                : static_cast<void*>(pointers_.data());
    bind_.length = lengths_.data();
    bind_.u.indicator = indicators_.data();
  }

  [[nodiscard]] const MYSQL_BIND& bind() const noexcept { return bind_; }

  // An array holds one type.
  static bool same_type(const BulkRows& rows) noexcept {
    const std::size_t width = rows.columns.size();
    for (std::size_t column = 0; column < width; ++column) {
      auto kind = ValueKind::null;
      for (std::size_t at = column; at < rows.values.size(); at += width) {
        const auto next = rows.values[at].kind();
        if (next != ValueKind::null && kind != ValueKind::null && next != kind) return false;
        if (next != ValueKind::null) kind = next;
      }
    }
    return true;
  }

 private:
  void add(const Value& value) {
    indicators_.push_back(value.is_null() ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE);
    integers_.push_back(value.kind() == ValueKind::integer ? value.integer() : 0);
    reals_.push_back(value.kind() == ValueKind::real ? value.real() : 0);
    std::string_view content;
    switch (value.kind()) {
      case ValueKind::null:
        break;
      case ValueKind::integer:
        type_ = MYSQL_TYPE_LONGLONG;
        break;
      case ValueKind::real:
        type_ = MYSQL_TYPE_DOUBLE;
        break;
      case ValueKind::text:
        content = value.text();
        break;
      case ValueKind::bytes:
        type_ = MYSQL_TYPE_BLOB;
        content = {reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size()};
        break;
      case ValueKind::timestamp:
        db::require_four_digit_year(value.timestamp());
        stored_.push_back(db::format_timestamp(value.timestamp()));
        content = stored_.back();
        break;
      case ValueKind::uuid:
        type_ = MYSQL_TYPE_BLOB;
        stored_.emplace_back(reinterpret_cast<const char*>(value.uuid().bytes.data()), 16);
        content = stored_.back();
        break;
      case ValueKind::array:
        break;  // Connection::load() refuses it
    }
    pointers_.push_back(content.data() == nullptr ? "" : content.data());
    lengths_.push_back(content.size());
  }

  enum_field_types type_ = MYSQL_TYPE_STRING;
  std::vector<std::int64_t> integers_;
  std::vector<double> reals_;
  std::vector<const char*> pointers_;
  std::vector<unsigned long> lengths_;
  std::vector<char> indicators_;
  std::vector<std::string> stored_;
  MYSQL_BIND bind_{};
};

std::size_t bytes_of(const Value& value) noexcept {
  constexpr std::size_t number = 8;
  if (value.kind() == ValueKind::text) return number + value.text().size();
  if (value.kind() == ValueKind::bytes) return number + value.bytes().size();
  return number * 4;
}

// As many rows as fit, at least one.
std::size_t rows_that_fit(const BulkRows& rows, std::size_t first, std::size_t most) noexcept {
  const std::size_t width = rows.columns.size();
  const std::size_t end = std::min(rows.values.size() / width, first + most);
  std::size_t bytes = 0;
  std::size_t row = first;
  for (; row < end; ++row) {
    for (std::size_t i = 0; i < width; ++i) bytes += bytes_of(rows.values[row * width + i]);
    if (bytes > kChunkBytes && row > first) break;
  }
  return row - first;
}

std::string insert_text(const BulkRows& rows) {
  std::string sql = "insert into " + std::string(rows.table) + " (";
  std::string places;
  for (std::size_t i = 0; i < rows.columns.size(); ++i) {
    const std::string_view comma = i == 0 ? "" : ", ";
    sql.append(comma).append(rows.columns[i]);
    places.append(comma).append("$").append(std::to_string(i + 1));
  }
  return sql + ") values (" + places + ")";
}

bool takes_arrays(MYSQL* connection) noexcept {
  unsigned long long capabilities = 0;
  mariadb_get_infov(connection, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities);
  return (capabilities & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

}  // namespace

std::int64_t MariadbConnection::do_load(const BulkRows& rows) {
  if (rows.values.empty()) return 0;
  if (!takes_arrays(link_.get()) || !BulkColumn::same_type(rows)) return Connection::do_load(rows);
  const auto most = std::max<std::size_t>(options_->load_rows, 1);
  const bool in_one = rows_that_fit(rows, 0, most) * rows.columns.size() == rows.values.size();
  const auto load = [&] { return load_in_chunks(rows, most); };
  return in_one ? load() : all_or_none(load);
}

std::int64_t MariadbConnection::load_in_chunks(const BulkRows& rows, std::size_t most) {
  const auto sql = insert_text(rows);
  require_unspoiled(sql);
  const std::size_t total = rows.values.size() / rows.columns.size();
  Run run(*this);
  if (place_.pending()) send_opening();
  auto loading = read(sql);  // not kept: an array stays bound to a statement
  prepare(loading, sql, run);
  send_opening();
  std::int64_t loaded = 0;
  for (std::size_t first = 0; first < total;) {
    const auto count = rows_that_fit(rows, first, most);
    loaded += load_chunk(loading, rows, {.first = first, .count = count}, run);
    first += count;
  }
  return loaded;
}

std::int64_t MariadbConnection::load_chunk(PreparedStatement& loading, const BulkRows& rows,
                                           RowRange range, Run& run) {
  auto* statement = loading.handle.get();
  std::vector<BulkColumn> columns;
  columns.reserve(rows.columns.size());
  std::vector<MYSQL_BIND> binds;
  for (std::size_t i = 0; i < rows.columns.size(); ++i) {
    columns.emplace_back(rows, i, range.first, range.count);
    binds.push_back(columns.back().bind());
  }
  auto size = static_cast<unsigned>(range.count);
  mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &size);
  if (mysql_stmt_bind_param(statement, binds.data()) != 0)
    fail(Trouble::of(statement), rows.table, loading.text, run);
  static_cast<void>(run_prepared(loading, run, rows.table));  // an INSERT has no columns
  return static_cast<std::int64_t>(range.count);
}

}  // namespace carrel::mariadb
