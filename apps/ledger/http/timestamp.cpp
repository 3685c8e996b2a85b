#include "ledger/http/timestamp.h"

#include <fmt/format.h>

#include <chrono>

namespace carrel::ledger::http {
namespace {

using std::chrono::microseconds;

// Reads text from the left; once something did not fit, everything after fails too.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  int number(std::size_t digits) {
    if (rest_.size() < digits) return fail();
    int value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return fail();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  void expect(char upper, char lower) {
    if (!take(upper) && !take(lower)) fail();
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  microseconds fraction() {
    std::int64_t value = 0;
    int digits = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      if (++digits > 6) return microseconds(fail());
      value = value * 10 + number(1);
    }
    if (digits == 0) fail();
    for (; digits < 6; ++digits) value *= 10;
    return microseconds(value);
  }
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

 private:
  int fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  Cursor cursor(text);
  const year y(cursor.number(4));
  cursor.expect('-', '-');
  const month m(static_cast<unsigned>(cursor.number(2)));
  cursor.expect('-', '-');
  const day d(static_cast<unsigned>(cursor.number(2)));
  cursor.expect('T', 't');
  const int hour = cursor.number(2);
  cursor.expect(':', ':');
  const int minute = cursor.number(2);
  cursor.expect(':', ':');
  const int second = cursor.number(2);
  const microseconds fraction = cursor.take('.') ? cursor.fraction() : microseconds(0);

  minutes offset{0};
  const bool east = cursor.take('+');
  if (east || cursor.take('-')) {
    const int offset_hours = cursor.number(2);
    cursor.expect(':', ':');
    const int offset_minutes = cursor.number(2);
    if (offset_hours > 23 || offset_minutes > 59) return std::nullopt;
    offset = minutes(offset_hours * 60 + offset_minutes) * (east ? 1 : -1);
  } else {
    cursor.expect('Z', 'z');
  }
  const year_month_day date(y, m, d);
  if (!cursor.finished() || !date.ok() || hour > 23 || minute > 59 || second > 59)
    return std::nullopt;
  return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + fraction - offset;
}

std::string to_rfc3339(Timestamp time) {
  using namespace std::chrono;
  const sys_days date = floor<days>(time);
  const year_month_day parts(date);
  const hh_mm_ss clock(time - date);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(parts.year()),
                     static_cast<unsigned>(parts.month()), static_cast<unsigned>(parts.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string to_iso_date(std::int32_t accounting_date) {
  return fmt::format("{:04}-{:02}-{:02}", accounting_date / 10'000, accounting_date / 100 % 100,
                     accounting_date % 100);
}

}  // namespace carrel::ledger::http
