// body_hash: what tells whether an idempotency key is used for the same request again.
//
//   hash_body(request) == booked->body_hash          // a replay, else the key is reused
//
// Computed over a canonical form of the request (every field with its length, in a fixed order), so
// that blanks and the order of members in a JSON body do not matter. Accounts count as they were
// named: "123" and "alice/2001" differ even where they are one account.
// Threads: pure. Errors: throws Error "hash.failed" where OpenSSL has no SHA-256.
#pragma once

#include <string>

#include "ledger/domain/voucher.h"
#include "ledger/store/voucher_table.h"

namespace carrel::ledger {

[[nodiscard]] BodyHash hash_body(const VoucherRequest& request);

// What is hashed; never change it for a form that has been stored: every replay would turn into a
// conflict. A new field gets a new version in the first line and only where it is given.
[[nodiscard]] std::string canonical_form(const VoucherRequest& request);

}  // namespace carrel::ledger
