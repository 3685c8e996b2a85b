// The experiment `split`: a transaction whose begin, statements and end each borrow from the pool
// is none.
//
// Transfers of money: begin, take from one account, give to another, commit. Some are refused half
// way or at the end, and roll back. Both ways run on four threads against the same table:
//   each_call_borrows  every call borrows a connection for itself and gives it back, from a pool
//                      that rolls back what is open on a connection that comes back
//   one_transaction    carrel::Session: the connection stays with the transaction
//
// What is counted: the connections that one transfer met, the rows that a rolled-back transfer left
// behind, and money made of nothing (the sum over all rows, which a transfer never changes).
#pragma once

#include <cstddef>

#include "lab/experiment.h"

namespace carrel::lab {

enum class Borrowing { each_call_borrows, one_transaction };

struct SplitOptions {
  std::size_t threads = 4;
  std::size_t transfers = 8'000;  // for each way
  double refused_share = 0.1;     // half of them before the second row is written, half after
  std::size_t connections = 8;

  // Tests take the remedy out here, and the experiment must notice.
  Borrowing remedy = Borrowing::one_transaction;
};

[[nodiscard]] Report run_split(const SplitOptions& options, const Context& context);

}  // namespace carrel::lab
