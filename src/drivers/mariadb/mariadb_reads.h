// Reads that end with a caller's patience, even where there is always more to read.
//
// libmariadb's non-blocking calls come back to wait only when a read finds nothing. A server that
// is ahead of its reader lets them read on, and no deadline would ever be looked at. So a link's
// reads find nothing once the time is over: the call comes back, and whoever waits for it decides.
//
//   interpose_reads(connection);                 // once, when it has been made
//   const ReadsWhile reading(patience);          // around each call
//
// Threads: one at a time per connection; `reading` is for the calls of its own thread.
#pragma once

#include <mysql.h>

namespace carrel::mariadb {

class Patience;

// Both for a link in the clear and for one that OpenSSL encrypts; another library's is left alone.
void interpose_reads(MYSQL* connection) noexcept;

class ReadsWhile {
 public:
  explicit ReadsWhile(const Patience& patience) noexcept;
  ReadsWhile(const ReadsWhile&) = delete;
  ReadsWhile& operator=(const ReadsWhile&) = delete;
  ~ReadsWhile();

 private:
  const Patience* outer_;
};

}  // namespace carrel::mariadb
