// The operator's own accounts: one for each house subject and currency, opened by themselves.
#pragma once

#include "carrel/base/ids.h"
#include "carrel/session/session.h"
#include "ledger/domain/amount.h"
#include "ledger/domain/book.h"

namespace carrel::ledger {

// Opens what is missing of them (and the house as a party) in the book bound in the current scope,
// which is `book`. Inside the caller's transaction.
void open_house_accounts(Session& session, Book book, IdSource& ids, Currency currency);

}  // namespace carrel::ledger
