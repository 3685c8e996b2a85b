// Subject and ChartOfAccounts: what kinds of accounts a book has.
//
// A subject gives its accounts their type and the side on which they grow. Codes follow the
// Chinese accounting standard's habit: the first digit is the type (1 assets, 2 liabilities,
// 3 between books, 4 equity, 6 income and expense).
//
//   const ChartOfAccounts chart = ChartOfAccounts::standard(Book::consumer);
//   chart.find("2001")->normal_side == Side::credit;   // what we owe a consumer
//
// Threads: a chart is immutable once built. Errors: find returns nullptr.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/domain/book.h"

namespace carrel::ledger {

// The numbers of these enumerations are stored; never change one.
enum class Side : std::uint8_t { debit = 1, credit = 2 };

enum class SubjectType : std::uint8_t {
  asset = 1,
  liability = 2,
  clearing = 3,
  equity = 4,
  income = 5,
  expense = 6,
};

// Who may hold an account under a subject, and with that whether rules on balances apply.
enum class SubjectUse : std::uint8_t {
  house = 1,  // the operator's own; opened by seeding
  party = 2,  // a consumer's or merchant's money; opened on request
};

[[nodiscard]] constexpr Side opposite(Side side) noexcept {
  return side == Side::debit ? Side::credit : Side::debit;
}
[[nodiscard]] std::string_view to_string(Side side) noexcept;
[[nodiscard]] std::string_view to_string(SubjectType type) noexcept;
[[nodiscard]] std::string_view to_string(SubjectUse use) noexcept;
[[nodiscard]] std::optional<Side> parse_side(std::string_view name) noexcept;

struct Subject {
  std::string code = {};   // "2001"
  std::string name = {};   // "Consumer balances"
  std::string title = {};  // the same in Chinese, as printed in vouchers: 用户余额
  SubjectType type = SubjectType::asset;
  Side normal_side = Side::debit;
  SubjectUse use = SubjectUse::house;

  friend bool operator==(const Subject&, const Subject&) = default;
};

class ChartOfAccounts {
 public:
  // Sorts by code; a code given twice is an assertion failure.
  explicit ChartOfAccounts(std::vector<Subject> subjects);
  // What a new book is seeded with.
  [[nodiscard]] static ChartOfAccounts standard(Book book);

  [[nodiscard]] const Subject* find(std::string_view code) const noexcept;
  [[nodiscard]] std::span<const Subject> subjects() const noexcept { return subjects_; }

 private:
  std::vector<Subject> subjects_;
};

}  // namespace carrel::ledger
