// Connecting takes a thread of the driver's own where a name is resolved, and on MariaDB over TLS.
// Where that gets no memory, or cannot be had, the caller is told.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "carrel/drivers/mariadb.h"
#include "carrel/drivers/postgres.h"
#include "drivers/errors.h"
#include "drivers/silent_server.h"

namespace {

std::atomic<bool> only_one_has_memory = false;
pthread_t has_memory;  // written before, read after `only_one_has_memory`

}  // namespace

// Not inlined: gcc 12 would take free() for the mate of an operator new that it does not see.
void* operator new(std::size_t bytes) {
  if (only_one_has_memory && pthread_equal(pthread_self(), has_memory) == 0) throw std::bad_alloc();
  if (void* const block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace carrel::test {
namespace {

class NoMemoryElsewhere {
 public:
  NoMemoryElsewhere() {
    has_memory = pthread_self();
    only_one_has_memory = true;
  }
  NoMemoryElsewhere(const NoMemoryElsewhere&) = delete;
  NoMemoryElsewhere& operator=(const NoMemoryElsewhere&) = delete;
  ~NoMemoryElsewhere() { only_one_has_memory = false; }
};

// What connecting to nobody says.
template <class Drivers, class Options>
std::string said(const Drivers& driver_of, Options options) {
  const SilentServer nobody;
  options.port = nobody.port();
  const auto driver = driver_of(options);
  const NoMemoryElsewhere none;
  const auto connect = [&] { static_cast<void>(driver->connect({})); };
  return thrown_by(connect) + ": " + message_of(connect);
}

constexpr auto kNotEnough = "sql.cannot_connect, retryable: there is not memory enough for ";

TEST(NoMeansToConnect, NoMemoryToResolveANameIsAnError) {
  const auto told = std::string(kNotEnough) + "resolving";
  EXPECT_EQ(said(postgres_driver, PostgresOptions{.host = "localhost"}).substr(0, told.size()),
            told);
  const MariadbOptions plain{.host = "localhost", .tls = MariadbTls::off};
  EXPECT_EQ(said(mariadb_driver, plain).substr(0, told.size()), told);
}

TEST(NoMeansToConnect, NoMemoryForTheHandshakeOverTlsIsAnError) {
  const auto told = std::string(kNotEnough) + "connecting";
  const MariadbOptions encrypted{.host = "127.0.0.1", .tls = MariadbTls::require};
  EXPECT_EQ(said(mariadb_driver, encrypted).substr(0, told.size()), told);
}

}  // namespace
}  // namespace carrel::test
