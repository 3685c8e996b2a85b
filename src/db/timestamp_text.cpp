#include "db/timestamp_text.h"

#include <cstdio>

#include "carrel/db/sql_error.h"

namespace carrel::db {
namespace {

// Takes digits off the front of `text`, exactly `count` of them.
class Digits {
 public:
  explicit Digits(std::string_view text) noexcept : rest_(text) {}

  std::optional<int> take(std::size_t count) noexcept {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  bool skip(std::string_view any_of) noexcept {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
  [[nodiscard]] char front() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }

 private:
  std::string_view rest_;
};

std::optional<std::chrono::microseconds> parse_fraction(Digits& digits) noexcept {
  int micros = 0;
  int places = 0;
  while (const auto digit = digits.take(1)) {
    if (++places <= 6) micros = micros * 10 + *digit;
  }
  if (places == 0) return std::nullopt;
  for (; places < 6; ++places) micros *= 10;
  return std::chrono::microseconds(micros);
}

std::optional<std::chrono::seconds> parse_offset(Digits& digits) noexcept {
  using std::chrono::seconds;
  if (digits.done() || digits.skip("Z")) return seconds(0);
  const int sign = digits.front() == '-' ? -1 : 1;
  if (!digits.skip("+-")) return std::nullopt;
  const auto hours = digits.take(2);
  if (!hours) return std::nullopt;
  digits.skip(":");
  const auto minutes = digits.done() ? 0 : digits.take(2);
  if (!minutes) return std::nullopt;
  return seconds(sign * (*hours * 3600 + *minutes * 60));
}

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text) noexcept {
  using namespace std::chrono;
  Digits digits(text);
  const auto y = digits.take(4);
  if (!y || !digits.skip("-")) return std::nullopt;
  const auto m = digits.take(2);
  if (!m || !digits.skip("-")) return std::nullopt;
  const auto d = digits.take(2);
  if (!d) return std::nullopt;
  const year_month_day date{year(*y), month(static_cast<unsigned>(*m)),
                            day(static_cast<unsigned>(*d))};
  if (!date.ok()) return std::nullopt;
  Timestamp at = sys_days(date);
  if (digits.done()) return at;

  if (!digits.skip(" T")) return std::nullopt;
  const auto hour = digits.take(2);
  if (!hour || *hour > 23 || !digits.skip(":")) return std::nullopt;
  const auto minute = digits.take(2);
  if (!minute || *minute > 59 || !digits.skip(":")) return std::nullopt;
  const auto second = digits.take(2);
  if (!second || *second > 60) return std::nullopt;
  at += hours(*hour) + minutes(*minute) + seconds(*second);
  if (digits.skip(".")) {
    const auto fraction = parse_fraction(digits);
    if (!fraction) return std::nullopt;
    at += *fraction;
  }
  const auto offset = parse_offset(digits);
  if (!offset || !digits.done()) return std::nullopt;
  return at - *offset;
}

void require_four_digit_year(Timestamp at) {
  using namespace std::chrono;
  constexpr Timestamp first = sys_days(year(0) / January / 1);
  constexpr Timestamp end = sys_days(year(10'000) / January / 1);
  if (at >= first && at < end) return;
  throw SqlError("sql.value_out_of_range",
                 {.message = "a timestamp lies outside the years 0 to 9999"});
}

std::string format_timestamp(Timestamp at) {
  using namespace std::chrono;
  const auto day_start = floor<days>(at);
  const year_month_day date(day_start);
  const hh_mm_ss time(at - day_start);
  char text[64];
  const int length = std::snprintf(
      text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d.%06d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return std::string(text, static_cast<std::size_t>(length));
}

}  // namespace carrel::db
