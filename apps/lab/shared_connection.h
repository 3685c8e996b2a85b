// SharedConnection: a connection with the manners of JDBC's: any thread may call it, one call at a
// time, and a closed one answers that it is closed. StaticConnection: the class of every first
// tutorial around it.
//
// Only what the experiment `connection` shows to fail; programs use carrel::Session.
//
// Threads: all functions from any. Lifetime: the driver outlives both.
// Errors: "lab.connection_closed", and SqlError.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/db/connection.h"

namespace carrel::lab {

class SharedConnection {
 public:
  explicit SharedConnection(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  // Nothing where a transaction is open already: JDBC's setAutoCommit(false).
  void begin() {
    with_open([](Connection& connection) {
      if (!connection.in_transaction()) connection.begin({});
    });
  }
  template <class... Parameters>
  void execute(std::string_view sql, const Parameters&... parameters) {
    with_open(
        [&](Connection& connection) { connection.execute(sql, std::array{Value(parameters)...}); });
  }
  void commit() {
    with_open([](Connection& connection) {
      if (connection.in_transaction()) connection.commit();
    });
  }
  void rollback() {
    with_open([](Connection& connection) { connection.rollback(); });
  }
  void close() {
    const std::lock_guard lock(mutex_);
    connection_.reset();
  }
  [[nodiscard]] bool is_open() const {
    const std::lock_guard lock(mutex_);
    return connection_ != nullptr;
  }

 private:
  template <class F>
  void with_open(F&& call) {
    const std::lock_guard lock(mutex_);
    if (!connection_) throw Error("lab.connection_closed", "the connection is closed");
    call(*connection_);
  }

  mutable std::mutex mutex_;
  std::unique_ptr<Connection> connection_;  // guarded by mutex_
};

class StaticConnection {
 public:
  enum class Closing { keep_the_closed, forget_the_closed };

  StaticConnection(Driver& driver, Closing closing) : driver_(driver), closing_(closing) {}

  // Check, then act: between the two, others pass the check as well.
  std::shared_ptr<SharedConnection> open() {
    if (auto existing = current()) return existing;
    auto opened = std::make_shared<SharedConnection>(driver_.connect({}));
    ++opened_;
    const auto replaced = put(opened);
    if (replaced && replaced->is_open()) ++opened_beside_another_;
    return opened;
  }

  void close() {
    if (const auto existing = current()) existing->close();
    if (closing_ == Closing::forget_the_closed) put(nullptr);
  }

  [[nodiscard]] std::int64_t opened() const { return opened_; }
  [[nodiscard]] std::int64_t opened_beside_another() const { return opened_beside_another_; }

 private:
  // The pointer itself is guarded, so that the race is one of meaning and not of memory.
  [[nodiscard]] std::shared_ptr<SharedConnection> current() const {
    const std::lock_guard lock(mutex_);
    return connection_;
  }
  std::shared_ptr<SharedConnection> put(std::shared_ptr<SharedConnection> connection) {
    const std::lock_guard lock(mutex_);
    return std::exchange(connection_, std::move(connection));
  }

  Driver& driver_;
  const Closing closing_;
  std::atomic<std::int64_t> opened_{0};
  std::atomic<std::int64_t> opened_beside_another_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<SharedConnection> connection_;  // guarded by mutex_
};

}  // namespace carrel::lab
