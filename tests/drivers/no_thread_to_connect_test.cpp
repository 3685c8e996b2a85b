// As no_means_to_connect_test.cpp, in processes of their own that have no room for a thread's
// stack.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "carrel/drivers/mariadb.h"
#include "carrel/drivers/postgres.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

void leave_no_room_for_a_stack() {
  constexpr rlim_t kRoom = rlim_t{4} << 20;
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + kRoom;
  setrlimit(RLIMIT_AS, &limit);
}

[[noreturn]] void connect_by(Driver& driver) {
  leave_no_room_for_a_stack();
  const auto thrown = thrown_by([&] { static_cast<void>(driver.connect({})); });
  std::exit(thrown == "sql.cannot_connect, retryable" ? 0 : 1);
}

TEST(NoMeansToConnectDeathTest, NoThreadIsAnError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto told = testing::ExitedWithCode(0);
  const auto postgres = postgres_driver({.host = "localhost", .port = 1});
  EXPECT_EXIT(connect_by(*postgres), told, "");
  const auto mariadb = mariadb_driver({.host = "localhost", .port = 1, .tls = MariadbTls::off});
  EXPECT_EXIT(connect_by(*mariadb), told, "");
  const auto encrypted = mariadb_driver({.host = "127.0.0.1", .port = 1});
  EXPECT_EXIT(connect_by(*encrypted), told, "");
}

}  // namespace
}  // namespace carrel::test
