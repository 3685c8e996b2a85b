// AlwaysAhead: a peer that always has more to say than was read so far, as a server is that is
// faster than its client: this thread's reads from sockets find something, always.
//
//   const AlwaysAhead fast;
//   connection.execute("select ...");   // reads, and never waits
//
// For programs that link always_ahead.cpp, which has recv() and read() of its own.
#pragma once

namespace carrel::test {

class AlwaysAhead {
 public:
  AlwaysAhead() noexcept;
  AlwaysAhead(const AlwaysAhead&) = delete;
  AlwaysAhead& operator=(const AlwaysAhead&) = delete;
  ~AlwaysAhead();
};

}  // namespace carrel::test
