// Link: a libpq connection that waits for its socket by poll() and never past a deadline.
//
// Threads: one at a time. Lifetime: owns the PGconn; closing never blocks.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "carrel/base/clock.h"
#include "carrel/drivers/postgres.h"
#include "drivers/postgres/postgres_error.h"
#include "drivers/remote/deadline.h"

namespace carrel::postgres {

using remote::Waited;

class Link {
 public:
  // Connects. Throws as postgres.h says.
  Link(const PostgresOptions& options, Clock::Steady deadline);

  [[nodiscard]] PGconn* get() const noexcept { return connection_.get(); }

  // Everything queued is on its way to the server.
  [[nodiscard]] Waited flush(Clock::Steady deadline) noexcept;
  // The next result can be taken without waiting.
  [[nodiscard]] bool has_result() const noexcept { return PQisBusy(get()) == 0; }
  [[nodiscard]] Waited wait_for_result(Clock::Steady deadline) noexcept {
    return has_result() ? Waited::ready : wait_while_busy(deadline);
  }
  // The same, where has_result() has just said no: else what was read already, while sending or by
  // TLS, would be waited for in vain.
  [[nodiscard]] Waited wait_while_busy(
      Clock::Steady deadline, remote::OnceLate once_late = remote::OnceLate::timed_out) noexcept;
  // COPY: room for more.
  [[nodiscard]] Waited wait_for_room(Clock::Steady deadline) noexcept;

  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] std::string last_words() const;
  // Nothing but lost() and last_words() is of use afterwards.
  void close();
  // A commit since the last call has been made here, but did not wait for the replicas.
  [[nodiscard]] bool take_unreplicated() noexcept { return std::exchange(unreplicated_, false); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  };

  [[nodiscard]] remote::Readiness wait(short events, Clock::Steady deadline) const noexcept;
  [[nodiscard]] bool consume() noexcept;
  void connect(Clock::Steady deadline);
  void require_suitable_server(int version_min) const;

  std::unique_ptr<PGconn, Finish> connection_;
  std::string closed_with_;  // last_words() of what was closed
  bool lost_ = false;
  bool unreplicated_ = false;
};

}  // namespace carrel::postgres
