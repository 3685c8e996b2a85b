// replay(): sends the operations of a schedule to a server and takes every answer.
//
// Each connection carries one request at a time and is kept alive. Answers that mean "later" (429,
// 503, a key still in progress) are waited for as long as the server asks; a broken connection is
// opened again and the operation sent again with the same idempotency key, so that nothing can
// happen twice. When no answer has come from the server at all for `patience`, the replay ends.
//
//   Schedule schedule(reader);
//   LoadReport report = replay(schedule, {.server = ServerAddress::parse(url)}, observer);
//   if (!report.everything_answered()) ...
//
// Threads: one; the observer is called on the caller's. SIGINT and SIGTERM end a running replay
// after the answers that are on their way.
// Errors: what became of operations is in the report; throws carrel::Error "client.unknown_host",
// and whatever the observer throws.
#pragma once

#include <chrono>
#include <cstdint>

#include "client/load_report.h"
#include "client/schedule.h"
#include "client/server_address.h"

namespace carrel::client {

struct ReplayOptions {
  ServerAddress server;
  std::size_t connections = 64;
  // How long the server may stay away, or keep answering "later", before it is given up.
  std::chrono::milliseconds patience{30'000};
  // An answer that takes longer counts as a broken connection.
  std::chrono::milliseconds answer_within{30'000};
  // How often one operation is sent when its connections break or the server fails.
  unsigned tries_max = 8;
};

class ReplayObserver {
 public:
  ReplayObserver() = default;
  ReplayObserver(const ReplayObserver&) = delete;
  ReplayObserver& operator=(const ReplayObserver&) = delete;
  virtual ~ReplayObserver() = default;

  // The server has answered that this operation is done, now or before. Called before anything that
  // waited for it is sent.
  virtual void acknowledged(const Operation& operation) = 0;
  // About ten times a second, and once at the end.
  virtual void progressed(const LoadReport& so_far) = 0;
};

[[nodiscard]] LoadReport replay(Schedule& schedule, const ReplayOptions& options,
                                ReplayObserver& observer);

}  // namespace carrel::client
