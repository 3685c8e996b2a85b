// Result: what a statement answered: rows, column names and the number of rows it changed.
//
// Everything is fetched before execute() returns, so that the connection is free again. Not for
// results that do not fit in memory: ask for them in pages.
//
//   Result result = session.execute("select id, balance, memo from {account}");
//   for (Row row : result)
//     print(row.get<std::int64_t>("id"), row.get<std::optional<std::string>>(2));
//   auto balance = session.execute("select balance from {account} where id = $1", id)
//                      .one().get<std::int64_t>(0);
//   struct Account { std::int64_t id; std::string owner; };
//   auto accounts = session.execute("select id, owner from {account}").to<Account>();
//
// Threads: immutable once made; reading is safe from any.
// Lifetime: a Row and the string_views it gives live as long as their Result, also when the Result
// is moved. one() and first() of a temporary Result own it instead.
// Errors: "sql.no_column", "sql.null_value" (T is no optional), "sql.type_mismatch",
// "sql.value_out_of_range", "sql.unexpected_rows" (one() met none or several),
// "sql.unexpected_columns" (to<T>() met more or fewer than T has members).
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/db/internal/row_fields.h"
#include "carrel/db/value.h"

namespace carrel {

class Result;
class OwnedRow;

class Row {
 public:
  // T: an integer type, bool, double, std::string, std::string_view, Bytes, Timestamp, Uuid, or
  // std::optional of one of these. No conversion loses anything: an integer that does not fit T, or
  // text where a number is asked for, is an error.
  template <class T>
  [[nodiscard]] T get(std::size_t column) const;
  template <class T>
  [[nodiscard]] T get(std::string_view column) const {
    return get<T>(index_of(column));
  }

  // An aggregate of at most 16 fields, one a column, in the columns' order.
  template <class T>
  [[nodiscard]] T to() const {
    require_columns(db::field_count<T>());
    return db::make_aggregate<T>(*this);
  }

  [[nodiscard]] bool is_null(std::size_t column) const;
  [[nodiscard]] ValueKind kind(std::size_t column) const;
  [[nodiscard]] std::size_t size() const noexcept;  // columns

 private:
  friend class Result;
  Row(const Result& result, std::size_t row) noexcept : result_(&result), row_(row) {}

  [[nodiscard]] std::size_t index_of(std::string_view column) const;
  void require_columns(std::size_t count) const;
  [[nodiscard]] std::int64_t integer(std::size_t column, std::int64_t min, std::int64_t max) const;
  [[nodiscard]] double real(std::size_t column) const;
  [[nodiscard]] std::string_view text(std::size_t column) const;
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t column) const;
  [[nodiscard]] Timestamp timestamp(std::size_t column) const;
  [[nodiscard]] Uuid uuid(std::size_t column) const;

  const Result* result_;
  std::size_t row_;
};

class Result {
 public:
  class Builder;
  class Iterator;
  using Columns = std::vector<std::string>;

  Result() = default;

  // Rows inserted, updated or deleted; 0 for a query.
  [[nodiscard]] std::int64_t affected_rows() const noexcept { return affected_rows_; }
  [[nodiscard]] std::size_t size() const noexcept { return row_count_; }  // rows
  [[nodiscard]] bool empty() const noexcept { return row_count_ == 0; }
  [[nodiscard]] std::span<const std::string> columns() const noexcept;

  [[nodiscard]] Row operator[](std::size_t row) const noexcept { return {*this, row}; }
  [[nodiscard]] Iterator begin() const noexcept;
  [[nodiscard]] Iterator end() const noexcept;

  // The only row; "sql.unexpected_rows" where there is none or more than one.
  [[nodiscard]] Row one() const&;
  [[nodiscard]] OwnedRow one() &&;
  // The first row, if there is one.
  [[nodiscard]] std::optional<Row> first() const&;
  [[nodiscard]] std::optional<OwnedRow> first() &&;

  // Fields that are views live as long as the result, so that one about to go gives none.
  template <class T>
  [[nodiscard]] std::vector<T> to() const&;
  template <class T>
  [[nodiscard]] std::vector<T> to() && {
    static_assert(!db::holds_views<T>, "the views would outlive their result");
    return std::as_const(*this).template to<T>();
  }

 private:
  friend class Row;
  struct Cell {
    ValueKind kind = ValueKind::null;
    std::uint32_t size = 0;  // text, bytes, uuid: its length
    union {
      std::int64_t integer = 0;  // also timestamp
      double real;
      std::size_t offset;  // text, bytes, uuid: where it begins in text_
    };
  };

  [[nodiscard]] const Cell& cell(std::size_t row, std::size_t column) const;
  void require_one() const;

  std::shared_ptr<const Columns> columns_;  // shared with the prepared statement
  std::vector<Cell> cells_;                 // row after row
  std::vector<char> text_;                  // a vector, since moving one moves no byte
  std::size_t row_count_ = 0;
  std::int64_t affected_rows_ = 0;
};

// For drivers: add the cells of one row after the other, in column order.
class Result::Builder {
 public:
  explicit Builder(std::shared_ptr<const Columns> columns);

  void add_null();
  void add_integer(std::int64_t value);
  void add_real(double value);
  void add_text(std::string_view text);
  void add_bytes(std::span<const std::byte> bytes);
  void add_timestamp(Timestamp at);
  void add_uuid(const Uuid& uuid);
  // The last cell's row must be complete.
  [[nodiscard]] Result finish(std::int64_t affected_rows);

 private:
  void add_view(ValueKind kind, const void* data, std::size_t size);

  Result result_;
};

class Result::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Row;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Row;

  Iterator() = default;
  Iterator(const Result& result, std::size_t row) noexcept : result_(&result), row_(row) {}
  Row operator*() const noexcept { return (*result_)[row_]; }
  Iterator& operator++() noexcept { return ++row_, *this; }
  Iterator operator++(int) noexcept { return {*result_, row_++}; }
  friend bool operator==(const Iterator&, const Iterator&) noexcept = default;

 private:
  const Result* result_ = nullptr;
  std::size_t row_ = 0;
};

// A row together with the Result it belongs to: what one() of a temporary gives.
class OwnedRow {
 public:
  OwnedRow(Result result, std::size_t row) noexcept : result_(std::move(result)), row_(row) {}

  template <class T>
  [[nodiscard]] T get(std::size_t column) const& {
    return result_[row_].get<T>(column);
  }
  template <class T>
  [[nodiscard]] T get(std::string_view column) const& {
    return result_[row_].get<T>(column);
  }
  template <class T>
  [[nodiscard]] T get(std::size_t column) && {
    static_assert(!db::is_view<T>, "the view would outlive its row");
    return result_[row_].get<T>(column);
  }
  template <class T>
  [[nodiscard]] T get(std::string_view column) && {
    static_assert(!db::is_view<T>, "the view would outlive its row");
    return result_[row_].get<T>(column);
  }
  template <class T>
  [[nodiscard]] T to() const& {
    return result_[row_].to<T>();
  }
  template <class T>
  [[nodiscard]] T to() && {
    static_assert(!db::holds_views<T>, "the views would outlive their row");
    return result_[row_].to<T>();
  }
  [[nodiscard]] bool is_null(std::size_t column) const { return result_[row_].is_null(column); }

 private:
  Result result_;
  std::size_t row_;
};

}  // namespace carrel

#include "carrel/db/internal/result_inline.h"  // IWYU pragma: export
