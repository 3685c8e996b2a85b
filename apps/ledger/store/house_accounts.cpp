#include "ledger/store/house_accounts.h"

#include <optional>
#include <utility>

#include "ledger/store/account_table.h"

namespace carrel::ledger {

void open_house_accounts(Session& session, Book book, IdSource& ids, Currency currency) {
  AccountTable accounts(session);
  std::optional<Party> house = accounts.find_party(kHouse);
  if (!house) {
    house = Party{ids.next(tag_of(book)), std::string(kHouse), Tier::three};
    accounts.insert(*house);
  }
  for (Subject& subject : accounts.subjects()) {
    if (subject.use != SubjectUse::house) continue;
    if (accounts.find_id(house->name, subject.code, currency)) continue;
    Account account;
    account.id = ids.next(tag_of(book));
    account.party = *house;
    account.subject = std::move(subject);
    account.currency = currency;
    accounts.insert(account);
  }
}

}  // namespace carrel::ledger
