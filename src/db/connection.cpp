#include "carrel/db/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/db/sql_error.h"
#include "db/busy.h"
#include "db/utf8.h"

namespace carrel {
namespace {

// Texts that some database would refuse, or cut short, are refused by all.
[[noreturn]] void throw_invalid_text(std::size_t parameter, std::string_view statement) {
  throw SqlError("sql.invalid_text",
                 {.message = "parameter $" + std::to_string(parameter) +
                             " is no valid UTF-8 or holds a NUL; send it as bytes",
                  .statement = statement});
}

// As the servers count them; one limit for all, so that what runs on one database runs on another.
constexpr std::size_t kParametersMax = 65'535;

[[noreturn]] void throw_too_many(std::string_view statement) {
  throw SqlError("sql.too_big", {.message = "a statement takes at most " +
                                            std::to_string(kParametersMax) + " parameters",
                                 .sqlstate = "54023",
                                 .statement = statement});
}

void require_valid(std::span<const Value> parameters, std::string_view statement) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].kind() == ValueKind::text && !db::is_valid_text(parameters[i].text()))
      throw_invalid_text(i + 1, statement);
  }
}

void require_parameters(std::span<const Value> parameters, std::string_view statement) {
  if (parameters.size() > kParametersMax) [[unlikely]]
    throw_too_many(statement);
  require_valid(parameters, statement);
}

void require_no_arrays(const BulkRows& rows) {
  if (std::ranges::none_of(rows.values,
                           [](const Value& value) { return value.kind() == ValueKind::array; }))
    return;
  throw SqlError("sql.unsupported",
                 {.message = "an array is a parameter of a statement; it is not loaded",
                  .statement = rows.table});
}

// It becomes part of a command, which takes no parameters.
void require_name(std::string_view name) {
  const bool fits = !name.empty() && name.size() < 200 &&
                    std::ranges::all_of(
                        name,
                        [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 (c >= '0' && c <= '9') ||
                                 std::string_view("._:/-").find(c) != std::string_view::npos;
                        });
  CARREL_ASSERT(fits, "a prepared transaction cannot have this name");
}

[[noreturn]] void throw_no_two_phases(std::string_view statement) {
  throw SqlError("sql.unsupported",
                 {.message = "this driver has no two-phase commit", .statement = statement});
}

std::string savepoint_name(int depth) {
  return "carrel_" + std::to_string(depth);
}

}  // namespace

Result Connection::execute(const Statement& statement, std::span<const Value> parameters) {
  require_parameters(parameters, statement.text);
  require_time(statement.text);
  const Busy busy(*this);
  return do_execute(statement, parameters);
}

std::vector<Result> Connection::batch(std::span<const BatchItem> items) {
  if (items.empty()) return {};
  for (const auto& item : items) require_parameters(item.parameters, item.statement.text);
  require_time(items.front().statement.text);
  const Busy busy(*this);
  return do_batch(items);
}

std::vector<Result> Connection::batch_and_commit(std::span<const BatchItem> items) {
  for (const auto& item : items) require_parameters(item.parameters, item.statement.text);
  require_time("commit");
  const Busy busy(*this);
  return do_batch_and_commit(items);
}

std::int64_t Connection::load(const BulkRows& rows) {
  CARREL_ASSERT(!rows.columns.empty() && rows.values.size() % rows.columns.size() == 0,
                "bulk rows for '" + std::string(rows.table) + "' are incomplete");
  require_valid(rows.values, rows.table);
  require_no_arrays(rows);
  require_time(rows.table);
  const Busy busy(*this);
  return do_load(rows);
}

void Connection::begin(const BeginOptions& options) {
  CARREL_ASSERT(!in_transaction(), "begin inside a transaction");
  require_time("begin");
  const Busy busy(*this);
  do_begin(options);
}

void Connection::commit() {
  const Busy busy(*this);
  commit_in_time();
}

// COMMIT is not sent once the deadline has passed: the transaction is rolled back for certain.
void Connection::commit_in_time() {
  if (deadline_ != kNoDeadline && Clock::Steady::clock::now() >= deadline_) {
    do_rollback();
    require_time("commit");
  }
  do_commit();
}

void Connection::set_place(const Place& place) {
  CARREL_ASSERT(!in_transaction(), "a transaction does not change its place");
  for (const std::string_view name : {place.role, place.schema}) {
    if (db::is_valid_text(name)) continue;
    throw SqlError("sql.invalid_place",
                   {.message = "a role or schema is no valid UTF-8 or holds a NUL"});
  }
  do_set_place(place);
}

void Connection::prepare(std::string_view name) {
  require_name(name);
  const Busy busy(*this);
  if (deadline_ != kNoDeadline && Clock::Steady::clock::now() >= deadline_) {
    do_rollback();
    require_time("prepare transaction");
  }
  do_prepare(name);
}

bool Connection::finish_prepared(std::string_view name, Prepared end) {
  require_name(name);
  CARREL_ASSERT(!in_transaction(), "a prepared transaction is finished outside a transaction");
  require_time(end == Prepared::commit ? "commit prepared" : "rollback prepared");
  const Busy busy(*this);
  return do_finish_prepared(name, end);
}

void Connection::rollback() noexcept {
  const Busy busy(*this);
  do_rollback();
}

void Connection::savepoint(int depth) {
  const Busy busy(*this);
  do_savepoint_command("savepoint " + savepoint_name(depth));
}

void Connection::rollback_to(int depth) {
  const Busy busy(*this);
  const auto before = std::exchange(deadline_, upkeep_deadline());
  try {
    do_savepoint_command("rollback to savepoint " + savepoint_name(depth));
    do_savepoint_command("release savepoint " + savepoint_name(depth));
  } catch (...) {
    deadline_ = before;
    throw;
  }
  deadline_ = before;
}

void Connection::release(int depth) {
  const Busy busy(*this);
  do_savepoint_command("release savepoint " + savepoint_name(depth));
}

std::vector<Result> Connection::do_batch(std::span<const BatchItem> items) {
  std::vector<Result> results;
  results.reserve(items.size());
  for (const auto& item : items) {
    require_time(item.statement.text);
    results.push_back(do_execute(item.statement, item.parameters));
  }
  return results;
}

std::vector<Result> Connection::do_batch_and_commit(std::span<const BatchItem> items) {
  auto results = do_batch(items);
  commit_in_time();
  return results;
}

std::int64_t Connection::do_load(const BulkRows& rows) {
  std::string sql = "insert into " + std::string(rows.table) + " (";
  std::string places;
  for (std::size_t i = 0; i < rows.columns.size(); ++i) {
    const std::string_view comma = i == 0 ? "" : ", ";
    sql.append(comma).append(rows.columns[i]);
    places.append(comma).append("$").append(std::to_string(i + 1));
  }
  sql += ") values (" + places + ")";
  const std::size_t width = rows.columns.size();
  const auto insert_all = [&] {
    for (std::size_t at = 0; at < rows.values.size(); at += width) {
      require_time(sql);
      do_execute(sql, rows.values.subspan(at, width));
    }
    return static_cast<std::int64_t>(rows.values.size() / width);
  };
  return rows.values.size() > width ? all_or_none(insert_all) : insert_all();
}

std::int64_t Connection::all_or_none(const std::function<std::int64_t()>& load) {
  if (in_transaction()) return load();
  do_begin({});
  std::int64_t loaded = 0;
  try {
    loaded = load();
  } catch (...) {
    do_rollback();
    throw;
  }
  commit_in_time();
  return loaded;
}

void Connection::do_set_place(const Place&) {
  throw SqlError("sql.unsupported", {.message = "this database has no roles or schemas to run in"});
}

void Connection::do_prepare(std::string_view) {
  throw_no_two_phases("prepare transaction");
}

bool Connection::do_finish_prepared(std::string_view, Prepared) {
  throw_no_two_phases("commit prepared");
}

void Connection::do_savepoint_command(std::string_view sql) {
  do_execute(sql, {});
}

void Connection::require_time(std::string_view statement) const {
  if (deadline_ == kNoDeadline || Clock::Steady::clock::now() < deadline_) return;
  throw SqlError("sql.deadline",
                 {.message = "the deadline had passed before the statement was sent",
                  .statement = statement,
                  .traits = {.retryable = true}});
}

}  // namespace carrel
