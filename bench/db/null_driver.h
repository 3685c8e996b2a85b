// NullDriver: answers at once and remembers nothing, so that only the pool and the session are
// measured.
#pragma once

#include <memory>

#include "carrel/db/connection.h"

namespace carrel::bench {

class NullConnection final : public Connection {
 public:
  void cancel() noexcept override {}
  [[nodiscard]] bool in_transaction() const noexcept override { return in_transaction_; }
  [[nodiscard]] bool broken() const noexcept override { return false; }
  [[nodiscard]] bool reset() noexcept override { return true; }
  [[nodiscard]] bool validate() noexcept override { return true; }

 protected:
  Result do_execute(const Statement&, std::span<const Value>) override { return {}; }
  void do_begin(const BeginOptions&) override { in_transaction_ = true; }
  void do_commit() override { in_transaction_ = false; }
  void do_rollback() noexcept override { in_transaction_ = false; }

 private:
  bool in_transaction_ = false;
};

class NullDriver final : public Driver {
 public:
  explicit NullDriver(bool remote) : traits_{.name = "null", .remote = remote} {}
  [[nodiscard]] const Traits& traits() const noexcept override { return traits_; }
  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions&) override {
    return std::make_unique<NullConnection>();
  }

 private:
  Traits traits_;
};

}  // namespace carrel::bench
