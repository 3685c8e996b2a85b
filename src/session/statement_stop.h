// StatementStop: while it lives, a stop that is asked for cancels the connection's statement.
//
// Again and again, since a cancel that comes before the statement has reached the driver hits
// nothing. Once it is destroyed, no cancel reaches the connection any more.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "carrel/db/connection.h"

namespace carrel::session {

class StatementStop {
 public:
  // Does nothing for a token that can never ask.
  StatementStop(const std::stop_token& stop, Connection& connection) {
    if (stop.stop_possible()) watch(stop, connection);
  }
  StatementStop(const StatementStop&) = delete;
  StatementStop& operator=(const StatementStop&) = delete;
  ~StatementStop() {
    if (target_) end();
  }

 private:
  struct Target;
  struct Ask {
    std::shared_ptr<Target> target;
    void operator()() const noexcept;
  };

  void watch(const std::stop_token& stop, Connection& connection);
  void end() noexcept;

  std::shared_ptr<Target> target_;
  std::optional<std::stop_callback<Ask>> asked_;
};

// Throws "sql.cancelled" once a stop was asked for.
void require_not_stopped(const std::stop_token& stop, std::string_view statement);

}  // namespace carrel::session
