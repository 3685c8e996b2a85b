// Poster: books one voucher in one transaction.
//
// The steps are apart so that a batch can take them together later: prepare() is what needs no
// database (validation, hash), post() the rest, on prepared vouchers of one book.
//
//   Outcome<PreparedVoucher> prepared = Poster::prepare(request);
//   if (!prepared.accepted()) return prepared.refusal();
//   return poster.post(prepared.value(), received_at);
//
// Threads: safe from any. Lifetime: the session, the ids and the rules outlive it, and a
// PreparedVoucher does not outlive its request.
// Errors: SqlError and what Session throws; nothing has changed unless in_doubt().
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "carrel/base/ids.h"
#include "carrel/session/session.h"
#include "ledger/domain/facts.h"
#include "ledger/domain/outcome.h"
#include "ledger/domain/rule.h"
#include "ledger/domain/voucher.h"
#include "ledger/store/voucher_table.h"

namespace carrel::ledger {

struct PostedVoucher {
  Voucher voucher;
  bool replayed = false;  // the same request was booked before; this is its answer then
};

struct PreparedVoucher {
  const VoucherRequest* request;
  BodyHash body_hash;
};

class Poster {
 public:
  struct Context {
    Book book;
    const RuleChain& rules;
    Timestamp received_at;
  };

  Poster(Session& session, IdSource& ids) noexcept : session_(session), ids_(ids) {}

  [[nodiscard]] static Outcome<PreparedVoucher> prepare(const VoucherRequest& request);
  // In a transaction of its own, or in the caller's.
  [[nodiscard]] Outcome<PostedVoucher> post(const PreparedVoucher& prepared,
                                            const Context& context);

 private:
  [[nodiscard]] Outcome<PostedVoucher> replay(const PreparedVoucher& prepared,
                                              const VoucherTable::BookedKey& booked);
  [[nodiscard]] Outcome<PostedVoucher> book(const PreparedVoucher& prepared,
                                            const Context& context);
  [[nodiscard]] Outcome<std::vector<Account>> load_accounts(const VoucherRequest& request);
  [[nodiscard]] Voucher make_voucher(const PostingFacts& facts);
  void write(const Voucher& voucher, const PostingFacts& facts, const BodyHash& body_hash);

  Session& session_;
  IdSource& ids_;
};

}  // namespace carrel::ledger
