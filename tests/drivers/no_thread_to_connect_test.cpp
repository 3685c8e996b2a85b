// As no_means_to_connect_test.cpp, in processes of their own that have no room for a thread's
// stack.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "base/little_memory.h"
#include "carrel/drivers/mariadb.h"
#include "carrel/drivers/postgres.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

[[noreturn]] void connect_by(Driver& driver) {
  limit_memory_to(rlim_t{4} << 20);  // less than a stack
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
