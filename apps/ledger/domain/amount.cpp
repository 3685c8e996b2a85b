#include "ledger/domain/amount.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace carrel::ledger {
namespace {

struct KnownCurrency {
  std::string_view code;
  int scale;
};

// ISO 4217, the minor units included; sorted by code.
constexpr std::array kCurrencies{
    KnownCurrency{"AUD", 2}, KnownCurrency{"BHD", 3}, KnownCurrency{"CAD", 2},
    KnownCurrency{"CHF", 2}, KnownCurrency{"CNY", 2}, KnownCurrency{"EUR", 2},
    KnownCurrency{"GBP", 2}, KnownCurrency{"HKD", 2}, KnownCurrency{"INR", 2},
    KnownCurrency{"JPY", 0}, KnownCurrency{"KRW", 0}, KnownCurrency{"KWD", 3},
    KnownCurrency{"MOP", 2}, KnownCurrency{"NZD", 2}, KnownCurrency{"SGD", 2},
    KnownCurrency{"THB", 2}, KnownCurrency{"TWD", 2}, KnownCurrency{"USD", 2},
};
static_assert(std::ranges::is_sorted(kCurrencies, {}, &KnownCurrency::code));

constexpr std::uint8_t index_of(std::string_view code) {
  const auto* found = std::ranges::lower_bound(kCurrencies, code, {}, &KnownCurrency::code);
  return static_cast<std::uint8_t>(found - kCurrencies.begin());
}

}  // namespace

std::optional<Currency> Currency::find(std::string_view code) noexcept {
  const std::uint8_t index = index_of(code);
  if (index == kCurrencies.size() || kCurrencies[index].code != code) return std::nullopt;
  return Currency(index);
}

Currency Currency::cny() noexcept {
  return Currency(index_of("CNY"));
}

std::string_view Currency::code() const noexcept {
  return kCurrencies[index_].code;
}

int Currency::scale() const noexcept {
  return kCurrencies[index_].scale;
}

std::string Amount::to_string() const {
  const bool negative = minor_ < 0;
  // Negated as unsigned, since the least 64-bit number has no positive twin.
  std::string digits = std::to_string(negative ? 0 - static_cast<std::uint64_t>(minor_)
                                               : static_cast<std::uint64_t>(minor_));
  if (const auto scale = static_cast<std::size_t>(currency_.scale()); scale > 0) {
    if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
    digits.insert(digits.size() - scale, ".");
  }
  return (negative ? "-" : "") + digits + " " + std::string(currency_.code());
}

std::optional<Amount> operator+(Amount left, Amount right) noexcept {
  const auto sum = checked_add(left.minor_, right.minor_);
  if (!sum || left.currency_ != right.currency_) return std::nullopt;
  return Amount(*sum, left.currency_);
}

std::optional<Amount> operator-(Amount left, Amount right) noexcept {
  const auto difference = checked_subtract(left.minor_, right.minor_);
  if (!difference || left.currency_ != right.currency_) return std::nullopt;
  return Amount(*difference, left.currency_);
}

std::optional<std::int64_t> checked_add(std::int64_t left, std::int64_t right) noexcept {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(left, right, &sum)) return std::nullopt;
  return sum;
}

std::optional<std::int64_t> checked_subtract(std::int64_t left, std::int64_t right) noexcept {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(left, right, &difference)) return std::nullopt;
  return difference;
}

std::optional<std::int64_t> parse_minor_units(std::string_view text) noexcept {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
  if (digits.front() == '0' && text != "0") return std::nullopt;
  std::int64_t minor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), minor);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return minor;
}

}  // namespace carrel::ledger
