// The tables of a book: their slots, their names in the file, and how they are made.
//
// Every table is named after its book even in the book's own file, so that SQL routed to the wrong
// file finds no table there; and every id column checks the book's tag, so that a row of the other
// book cannot be inserted even where somebody gets that far.
//
// Internal to store/. Threads: none of this keeps state.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "carrel/base/ids.h"
#include "carrel/session/session.h"
#include "ledger/domain/book.h"

namespace carrel::ledger {

inline constexpr std::array<std::string_view, 7> kTableSlots{
    "schema_version", "subject", "party", "account", "voucher", "entry", "idempotency"};

// "consumer_account"
[[nodiscard]] std::string physical_table(Book book, std::string_view slot);

// For Route::tables.
[[nodiscard]] std::map<std::string, std::string, std::less<>> table_slots(Book book);

// Makes what is missing in the book bound in the current scope: tables, chart of accounts, the
// house with its accounts in CNY. Does nothing to a book that is complete, but for telling `ids`
// which ones are taken. Throws Error "store.schema" for a schema of another version or of the other
// book.
void prepare_book(Session& session, Book book, IdSource& ids);

}  // namespace carrel::ledger
