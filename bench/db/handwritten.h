// The same voucher as a careful programmer writes it against libpq: everything prepared once,
// numbers sent in binary, BEGIN travelling with the first statement.
#pragma once

#include <array>
#include <cstdint>

#include "bench/db/postgres_server.h"
#include "bench/db/voucher.h"

namespace carrel::bench {

class HandWritten {
 public:
  HandWritten();

  // The sum of both balances.
  std::int64_t post(const Voucher& voucher);

  [[nodiscard]] int server_process() const { return PQbackendPID(connection_.get()); }

 private:
  void prepare(const char* name, const char* sql);
  void begin_and_insert(const Voucher& voucher);
  std::int64_t change_balance(std::int64_t amount, std::int64_t account);
  void insert_entries(const Voucher& voucher);
  void commit();

  LibpqConnection connection_;
};

}  // namespace carrel::bench
