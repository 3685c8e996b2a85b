#include "drivers/own_resolver.h"

#include <netdb.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string_view>

#include "drivers/interposed.h"

namespace carrel::test {
namespace {

struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;      // guarded by mutex
  std::size_t waiting = 0;  // guarded by mutex
};

std::atomic<std::size_t>& asked() {
  static std::atomic<std::size_t> count{0};
  return count;
}

// Never destroyed: a caller that a driver has left behind may still wait when the program ends.
Gate& gate() {
  static auto* one = new Gate;
  return *one;
}

void wait_at_the_gate() {
  std::unique_lock lock(gate().mutex);
  ++gate().waiting;
  gate().changed.wait(lock, [] { return !gate().closed; });
  --gate().waiting;
  gate().changed.notify_all();
}

}  // namespace

SlowResolver::SlowResolver() {
  const std::lock_guard lock(gate().mutex);
  gate().closed = true;
}

SlowResolver::~SlowResolver() {
  std::unique_lock lock(gate().mutex);
  gate().closed = false;
  gate().changed.notify_all();
  gate().changed.wait(lock, [] { return gate().waiting == 0; });
}

std::size_t resolved() {
  return asked();
}

std::size_t SlowResolver::waiting() {
  const std::lock_guard lock(gate().mutex);
  return gate().waiting;
}

}  // namespace carrel::test

// Taken instead of libc's, since a program's own symbols come first.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  static auto* const system = carrel::test::the_systems<decltype(getaddrinfo)>("getaddrinfo");
  if (name == nullptr || !std::string_view(name).ends_with(".carrel.test"))
    return system(name, service, hints, found);
  ++carrel::test::asked();
  if (std::string_view(name).starts_with("slow")) carrel::test::wait_at_the_gate();
  return system("127.0.0.1", service, hints, found);
}
