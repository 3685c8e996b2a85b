// A voucher through the session: statement by statement, or as one batch.
#pragma once

#include <cstddef>

#include "bench/db/voucher.h"
#include "carrel/db/pool.h"
#include "carrel/scope/request_local.h"
#include "carrel/session/session.h"

namespace carrel::bench {

// Two books on one database, told apart by a marker, as in the account service.
class VoucherSession {
 public:
  VoucherSession(Driver& driver, std::size_t connections);

  // Each in a scope of its own, as a request has one. The sum of both balances.
  std::int64_t post(const Voucher& voucher);
  void post_as_batch(const Voucher& voucher);

  // Of a connection of the pool: of the one, where there is one.
  [[nodiscard]] int server_process();

 private:
  RequestLocal<std::string_view> book_{"book"};
  Pool pool_;
  Session session_;
};

}  // namespace carrel::bench
