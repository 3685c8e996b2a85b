#include "drivers/postgres/postgres_copy.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/later.h"
#include "db/timestamp_text.h"
#include "drivers/postgres/postgres_connection.h"

namespace carrel::postgres {
namespace {

constexpr std::size_t kChunkBytes = 64 << 10;

template <class Number>
void append_number(std::string& to, Number number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  to.append(text.data(), end);
}

void append_escaped(std::string& to, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '\\':
        to += "\\\\";
        break;
      case '\n':
        to += "\\n";
        break;
      case '\r':
        to += "\\r";
        break;
      case '\t':
        to += "\\t";
        break;
      default:
        to += c;
    }
  }
}

void append_hex(std::string& to, std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  to += "\\\\x";
  for (const auto byte : bytes) {
    to += digits[std::to_integer<std::size_t>(byte >> 4)];
    to += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
}

}  // namespace

void append_copy_field(std::string& to, const Value& value) {
  switch (value.kind()) {
    case ValueKind::null:
      to += "\\N";
      break;
    case ValueKind::integer:
      append_number(to, value.integer());
      break;
    case ValueKind::real:
      append_number(to, value.real());  // "inf" and "nan" are read as such
      break;
    case ValueKind::text:
      append_escaped(to, value.text());
      break;
    case ValueKind::bytes:
      append_hex(to, value.bytes());
      break;
    case ValueKind::timestamp:
      to += db::format_timestamp(value.timestamp()) + "+00";
      break;
    case ValueKind::uuid:
      to += value.uuid().to_string();
      break;
    case ValueKind::array:
      break;  // Connection::load() refuses it
  }
}

// One COPY, which libpq does outside pipeline mode only.
class PostgresConnection::Copy {
 public:
  explicit Copy(PostgresConnection& connection) : of_(connection), limit_(connection.deadline()) {
    of_.canceller_.statement_begins();
    static_cast<void>(of_.link_.take_unreplicated());
    of_.pipeline_.count_round_trip();
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() {
    const auto aftermath = of_.canceller_.statement_ends(of_.options_->grace, complete_);
    if (!complete_ || !aftermath.settled) of_.broken_ = true;
    // Whatever request is still on its way finds the server idle.
    else if (aftermath.reason != CancelReason::none)
      static_cast<void>(of_.answers());
  }

  void start(const std::string& sql) {
    if (PQsendQuery(of_.link_.get(), sql.c_str()) != 1) return lose();
    wait([this](Clock::Steady limit) { return of_.link_.flush(limit); });
    take_results();
  }

  [[nodiscard]] bool wants_rows() const noexcept { return copying_ && !failure_ && !over_; }

  void send(std::string_view chunk) {
    // A server that takes the rows as fast as they come lets nobody wait, and so no wait end.
    wait([](Clock::Steady limit) {
      return Clock::Steady::clock::now() >= limit ? Waited::timed_out : Waited::ready;
    });
    while (copying_ && ending_ == Ending::complete) {
      const int sent = PQputCopyData(of_.link_.get(), chunk.data(), static_cast<int>(chunk.size()));
      // Else libpq would keep all that a slow server has not taken yet.
      if (sent == 1) return wait([this](Clock::Steady limit) { return of_.link_.flush(limit); });
      if (sent < 0) return lose();
      wait([this](Clock::Steady limit) { return of_.link_.wait_for_room(limit); });
    }
  }

  void finish() {
    while (copying_ && ending_ == Ending::complete) {
      // Half of the rows are not loaded: the server undoes them, with the state of what is
      // cancelled.
      const int sent = PQputCopyEnd(of_.link_.get(), over_ ? "the deadline passed" : nullptr);
      if (sent < 0) return lose();
      if (sent == 1) {
        copying_ = false;
        wait([this](Clock::Steady limit) { return of_.link_.flush(limit); });
        return take_results();
      }
      wait([this](Clock::Steady limit) { return of_.link_.wait_for_room(limit); });
    }
  }

  [[nodiscard]] bool succeeded() const noexcept { return complete_ && !failure_; }

  // The number of rows, or an error.
  std::int64_t conclude(const Plan& plan, std::string_view sql) {
    Outcome outcome;
    outcome.ending = ending_;
    outcome.cancelled = over_ ? CancelReason::deadline : CancelReason::none;
    outcome.unreplicated = of_.link_.take_unreplicated();
    if (failure_) {
      outcome.failed = 0;
      outcome.failure = std::move(failure_);
    }
    if (ending_ != Ending::complete) of_.throw_lost(plan, outcome, Fate::unknown);
    if (outcome.failure && plan.place > 0 && means_no_role(sqlstate_of(outcome.failure.get())))
      of_.throw_no_place(outcome);
    if (outcome.failure) of_.throw_failure(outcome, sql);
    if (plan.autocommit) of_.require_replicated(outcome);
    return rows_;
  }

 private:
  void lose() noexcept { ending_ = Ending::lost; }

  template <class Wait>
  void wait(const Wait& wait_until) {
    auto waited = wait_until(limit_);
    if (waited == Waited::timed_out && !over_) {
      over_ = true;
      of_.canceller_.request(CancelReason::deadline);
      limit_ = base::from_now(of_.options_->grace);
      waited = wait_until(limit_);
    }
    if (waited == Waited::lost) lose();
    if (waited == Waited::timed_out) ending_ = Ending::timed_out;
  }

  void take_results() {
    while (ending_ == Ending::complete) {
      wait([this](Clock::Steady limit) { return of_.link_.wait_for_result(limit); });
      if (ending_ == Ending::timed_out) return;
      if (ending_ == Ending::lost && PQstatus(of_.link_.get()) == CONNECTION_OK) return;
      ResultPtr result(PQgetResult(of_.link_.get()));
      if (!result) {
        complete_ = ending_ == Ending::complete;
        return;
      }
      const auto status = PQresultStatus(result.get());
      if (status == PGRES_COPY_IN) {
        copying_ = true;
        return;
      }
      if (status == PGRES_FATAL_ERROR) {
        copying_ = false;
        if (!failure_ && !sqlstate_of(result.get()).empty()) failure_ = std::move(result);
        if (PQstatus(of_.link_.get()) != CONNECTION_OK) lose();
      } else if (std::string_view(PQcmdStatus(result.get())).starts_with("COPY")) {
        const std::string_view count = PQcmdTuples(result.get());
        std::from_chars(count.data(), count.data() + count.size(), rows_);
      }
    }
  }

  PostgresConnection& of_;
  Clock::Steady limit_;
  Ending ending_ = Ending::complete;
  ResultPtr failure_;
  std::int64_t rows_ = 0;
  bool copying_ = false;
  bool complete_ = false;  // the server has said all that it had to say
  bool over_ = false;
};

std::int64_t PostgresConnection::do_load(const BulkRows& rows) {
  if (rows.values.empty()) return 0;
  require_usable(rows.table);
  for (const auto& value : rows.values) {
    if (value.kind() == ValueKind::timestamp) db::require_four_digit_year(value.timestamp());
  }
  std::string sql = "copy " + std::string(rows.table) + " (";
  for (std::size_t i = 0; i < rows.columns.size(); ++i)
    sql.append(i == 0 ? "" : ", ").append(rows.columns[i]);
  sql += ") from stdin";
  Plan plan;
  plan.autocommit = !in_transaction();
  plan.only_reads = false;
  plan.statements.push_back({.sql = sql, .variant = nullptr});
  plan.place = place_.pending() ? place_commands().size() : 0;
  const auto opening = load_opening();

  Copy copy(*this);
  copy.start(opening + sql);
  std::string chunk;
  const std::size_t width = rows.columns.size();
  for (std::size_t i = 0; i < rows.values.size() && copy.wants_rows(); ++i) {
    append_copy_field(chunk, rows.values[i]);
    chunk += (i + 1) % width == 0 ? '\n' : '\t';
    if (chunk.size() < kChunkBytes && i + 1 < rows.values.size()) continue;
    copy.send(chunk);
    chunk.clear();
  }
  copy.finish();
  settle_place(copy.succeeded());
  return copy.conclude(plan, sql);
}

// The place and BEGIN, in one text with COPY: the server runs nothing after what fails.
std::string PostgresConnection::load_opening() {
  std::string place;
  if (place_.pending()) {
    for (const auto& sql : place_commands()) place += sql + "; ";
    place_.sent();
  }
  const auto* begun = std::exchange(begin_, nullptr);
  const std::string begin = begun == nullptr ? std::string() : begun->sql + "; ";
  const bool within = place_.lasts() == remote::PlaceRecord::Lasts::transaction;
  return within ? begin + place : place + begin;
}

}  // namespace carrel::postgres
