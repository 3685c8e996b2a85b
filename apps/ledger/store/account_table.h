// AccountTable: the SQL on parties, subjects and accounts of the book bound in the current scope.
//
//   AccountTable accounts(session);
//   if (auto id = accounts.find_id("alice", "2001", Currency::cny())) accounts.find(*id);
//
// Threads: stateless but for the session. Lifetime: the session outlives it.
// Errors: SqlError; Error "store.corrupt" for a row that this version cannot read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "carrel/session/session.h"
#include "ledger/domain/account.h"

namespace carrel::ledger {

class AccountTable {
 public:
  explicit AccountTable(Session& session) noexcept : session_(session) {}

  [[nodiscard]] std::vector<Subject> subjects();
  [[nodiscard]] std::optional<Subject> find_subject(std::string_view code);

  [[nodiscard]] std::optional<Party> find_party(std::string_view name);
  void insert(const Party& party);

  [[nodiscard]] std::optional<std::int64_t> find_id(std::string_view party,
                                                    std::string_view subject, Currency currency);
  // The same by either form of reference; an id is given back unseen.
  [[nodiscard]] std::optional<std::int64_t> find_id(const AccountRef& ref, Currency currency);
  [[nodiscard]] std::optional<Account> find(std::int64_t id);
  void insert(const Account& account);

  // Stores what a posting made of an account. `before` is the account as it was loaded in the same
  // transaction; that it has not moved since is asserted.
  void update_posted(const Account& before, std::int64_t balance, std::int64_t last_entry);

 private:
  Session& session_;
};

// The stored forms, which a row may have wrong: throws Error "store.corrupt".
[[nodiscard]] Currency currency_from(std::string_view code);

}  // namespace carrel::ledger
