// StatementService: statements of accounts, written three times: with the connection passed through
// every function, with one global connection behind a lock, and with a connection that is found.
//
// What the experiment `passing` compares. The three do the same: may the caller see the account,
// whose is it, and what is on it; three statements in a read-only transaction.
//
// Threads: serve() from any. Lifetime: the driver or pool outlives them. Errors: SqlError, and what
// Pool::borrow throws.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "carrel/db/pool.h"
#include "lab/coupling.h"

namespace carrel::lab {

inline constexpr std::int64_t kAccounts = 100;

// Makes the table and its accounts.
void fill_accounts(Connection& connection);

struct StatementRequest {
  std::string caller;
  std::int64_t account;
};

struct AccountStatement {
  std::string owner;
  std::int64_t balance = 0;
};

class StatementService {
 public:
  StatementService() = default;
  StatementService(const StatementService&) = delete;
  StatementService& operator=(const StatementService&) = delete;
  virtual ~StatementService() = default;

  virtual AccountStatement serve(const StatementRequest& request) = 0;
  // Functions in all, and those that name the connection.
  [[nodiscard]] virtual Coupling coupling() const = 0;
};

[[nodiscard]] std::unique_ptr<StatementService> service_that_passes(Pool& pool);
[[nodiscard]] std::unique_ptr<StatementService> service_that_locks(Driver& driver);
[[nodiscard]] std::unique_ptr<StatementService> service_that_binds(Pool& pool);

}  // namespace carrel::lab
