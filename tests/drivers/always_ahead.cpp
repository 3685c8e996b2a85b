#include "drivers/always_ahead.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/interposed.h"

namespace carrel::test {
namespace {

constinit thread_local bool t_ahead = false;

// Until there is something to read, or the peer seems to have nothing to say at all.
void wait_for_more(int socket) {
  constexpr int silence_ms = 10'000;
  pollfd watched{.fd = socket, .events = POLLIN, .revents = 0};
  static_cast<void>(::poll(&watched, 1, silence_ms));
}

}  // namespace

AlwaysAhead::AlwaysAhead() noexcept {
  t_ahead = true;
}
AlwaysAhead::~AlwaysAhead() {
  t_ahead = false;
}

}  // namespace carrel::test

// Taken instead of libc's, since a program's own symbols come first.
extern "C" ssize_t recv(int socket, void* buffer, std::size_t length, int flags) {
  static auto* const system = carrel::test::the_systems<decltype(recv)>("recv");
  if (carrel::test::t_ahead) carrel::test::wait_for_more(socket);
  return system(socket, buffer, length, flags);
}

extern "C" ssize_t read(int file, void* buffer, std::size_t length) {
  static auto* const system = carrel::test::the_systems<decltype(read)>("read");
  if (carrel::test::t_ahead) carrel::test::wait_for_more(file);
  return system(file, buffer, length);
}
