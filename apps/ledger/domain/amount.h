// Amount: money as a 64-bit count of minor units of one currency; never floating point.
//
//   const Currency cny = *Currency::find("CNY");
//   const Amount price{1250, cny};                      // 12.50 CNY
//   const std::optional<Amount> sum = price + Amount{50, cny};
//   sum->minor() == 1300; price.to_string() == "12.50 CNY";
//
// Arithmetic returns nothing on overflow and for two different currencies: an Amount never wraps.
// Threads: plain values. Errors: none is thrown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::ledger {

// A currency of ISO 4217 that the ledger knows, with the number of digits after its point.
class Currency {
 public:
  // By its three upper-case letters; nothing for one that is not known.
  [[nodiscard]] static std::optional<Currency> find(std::string_view code) noexcept;
  // Chinese yuan: what the seeded accounts are kept in.
  [[nodiscard]] static Currency cny() noexcept;

  [[nodiscard]] std::string_view code() const noexcept;
  [[nodiscard]] int scale() const noexcept;

  friend bool operator==(Currency, Currency) noexcept = default;
  friend auto operator<=>(Currency, Currency) noexcept = default;

 private:
  explicit constexpr Currency(std::uint8_t index) noexcept : index_(index) {}

  std::uint8_t index_;  // into the table in amount.cpp, which is sorted by code
};

class Amount {
 public:
  constexpr Amount(std::int64_t minor, Currency currency) noexcept
      : minor_(minor), currency_(currency) {}

  [[nodiscard]] constexpr std::int64_t minor() const noexcept { return minor_; }
  [[nodiscard]] constexpr Currency currency() const noexcept { return currency_; }

  // With the currency's point: "12.50 CNY", "-0.05 CNY", "1250 JPY".
  [[nodiscard]] std::string to_string() const;

  friend std::optional<Amount> operator+(Amount left, Amount right) noexcept;
  friend std::optional<Amount> operator-(Amount left, Amount right) noexcept;
  friend bool operator==(Amount, Amount) noexcept = default;

 private:
  std::int64_t minor_;
  Currency currency_;
};

// Sum or difference of minor units; nothing on overflow.
[[nodiscard]] std::optional<std::int64_t> checked_add(std::int64_t left,
                                                      std::int64_t right) noexcept;
[[nodiscard]] std::optional<std::int64_t> checked_subtract(std::int64_t left,
                                                           std::int64_t right) noexcept;

// Minor units from a request: an optional '-' and decimal digits, nothing else; no blanks, no '+',
// no leading zeros. Nothing if malformed or beyond 64 bits.
[[nodiscard]] std::optional<std::int64_t> parse_minor_units(std::string_view text) noexcept;

}  // namespace carrel::ledger
