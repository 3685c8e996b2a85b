// Party, Account and AccountRef: whose money, how much of it, and how a request names it.
//
//   const std::optional<AccountRef> ref = AccountRef::parse("alice/2001");
//   ref->party() == "alice"; ref->subject() == "2001";
//
// A balance counts on the normal side of the account's subject: positive is the usual direction.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/domain/amount.h"
#include "ledger/domain/chart.h"

namespace carrel::ledger {

// The party that holds the operator's own accounts in every book.
inline constexpr std::string_view kHouse = "house";

// How well a party is known; limits grow with it.
enum class Tier : std::uint8_t { one = 1, two = 2, three = 3 };

[[nodiscard]] std::optional<Tier> parse_tier(std::int64_t number) noexcept;

struct Party {
  std::int64_t id = 0;
  std::string name = {};
  Tier tier = Tier::two;

  friend bool operator==(const Party&, const Party&) = default;
};

// 1 to 64 of letters, digits, '.', '_', ':', '@' and '-'.
[[nodiscard]] bool is_party_name(std::string_view name) noexcept;

enum class AccountStatus : std::uint8_t {
  active = 1,
  frozen = 2,    // neither in nor out
  stop_in = 3,   // out only
  stop_out = 4,  // in only
  closed = 5,
};

[[nodiscard]] std::string_view to_string(AccountStatus status) noexcept;

struct Account {
  std::int64_t id = 0;
  Party party;
  Subject subject;
  Currency currency = Currency::cny();
  AccountStatus status = AccountStatus::active;
  std::int64_t balance = 0;      // posted, on the subject's normal side
  std::int64_t frozen = 0;       // reserved part of the balance
  std::int64_t credit_line = 0;  // how far available may go below zero
  std::int64_t version = 0;      // entries so far
  std::optional<std::int64_t> last_entry;

  // May still be drawn without touching the credit line. Never wraps: frozen lies within the
  // balance or the credit line.
  [[nodiscard]] std::int64_t available() const noexcept { return balance - frozen; }

  friend bool operator==(const Account&, const Account&) = default;
};

// "123" (an account's id) or "alice/2001" (party and subject; the currency comes beside it).
class AccountRef {
 public:
  // Nothing if the text is neither a positive decimal id nor party, '/', subject code.
  [[nodiscard]] static std::optional<AccountRef> parse(std::string_view text);
  [[nodiscard]] static AccountRef of(std::int64_t id);

  [[nodiscard]] std::optional<std::int64_t> id() const noexcept { return id_; }
  [[nodiscard]] const std::string& party() const noexcept { return party_; }  // empty with an id
  [[nodiscard]] const std::string& subject() const noexcept {
    return subject_;
  }  // empty with an id
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const AccountRef&, const AccountRef&) = default;

 private:
  AccountRef() = default;

  std::optional<std::int64_t> id_;
  std::string party_;
  std::string subject_;
};

}  // namespace carrel::ledger
