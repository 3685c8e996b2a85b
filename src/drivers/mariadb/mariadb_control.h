// Control: the one connection of a driver over which running statements of others are ended.
//
// Threads: safe from any; one KILL at a time. Errors: none; a statement that cannot be ended ends
// by itself, or its connection is given up.
#pragma once

#include <memory>
#include <mutex>

#include "drivers/mariadb/mariadb_link.h"

namespace carrel::mariadb {

class Control {
 public:
  explicit Control(std::shared_ptr<const MariadbOptions> options) : options_(std::move(options)) {}
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // Ends the statement that the connection runs, or, where the connection was given up, it and
  // whatever it has not begun yet.
  void kill(remote::CancelTarget target, unsigned long connection_id) noexcept;

 private:
  [[nodiscard]] bool try_kill(const std::string& sql, Clock::Steady deadline);

  std::shared_ptr<const MariadbOptions> options_;
  std::mutex mutex_;
  std::unique_ptr<Link> link_;  // guarded by mutex_
};

}  // namespace carrel::mariadb
