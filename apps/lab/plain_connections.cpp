#include "lab/plain_connections.h"

namespace carrel::lab {

PlainConnections::PlainConnections(Driver& driver, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) idle_.push_back(driver.connect({}));
}

PlainConnections::Loan PlainConnections::borrow() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !idle_.empty(); });
  auto connection = std::move(idle_.front());
  idle_.pop_front();
  return Loan(*this, std::move(connection));
}

void PlainConnections::give_back(std::unique_ptr<Connection> connection) {
  if (connection->in_transaction()) connection->rollback();
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(connection));
  }
  returned_.notify_one();
}

}  // namespace carrel::lab
