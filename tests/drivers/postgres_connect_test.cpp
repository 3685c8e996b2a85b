#include <gtest/gtest.h>

#include <chrono>

#include "base/in_time.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"
#include "drivers/silent_server.h"

namespace carrel::test {
namespace {

using std::chrono::milliseconds;

std::string connecting(PostgresOptions options) {
  return thrown_by([&] { open_postgres(std::move(options)); });
}

TEST(PostgresConnect, GivesAConnectionThatAnswers) {
  auto connection = open_postgres();
  EXPECT_TRUE(connection->validate());
  EXPECT_EQ(connection->execute("select 7").one().get<int>(0), 7);
}

TEST(PostgresConnect, FindsTheServerByName) {
  auto options = postgres_options();
  options.host = "localhost";
  EXPECT_TRUE(open_postgres(options)->validate());
}

TEST(PostgresConnect, WrongPasswordIsAccessDenied) {
  auto options = postgres_options();
  options.password = "guess";
  EXPECT_EQ(connecting(options), "sql.access_denied");
}

TEST(PostgresConnect, TheErrorNamesNoPassword) {
  auto options = postgres_options();
  options.password = "s3cret-guess";
  const auto message = message_of([&] { open_postgres(options); });
  EXPECT_NE(message.find("password authentication failed"), std::string::npos) << message;
  EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
}

TEST(PostgresConnect, UnknownDatabase) {
  auto options = postgres_options();
  options.database = "nowhere";
  EXPECT_EQ(connecting(options), "sql.no_database");
}

TEST(PostgresConnect, NoServerIsRetryable) {
  const SilentServer closed;
  auto options = postgres_options();
  options.port = closed.port();
  EXPECT_EQ(connecting(options), "sql.cannot_connect, retryable");
}

TEST(PostgresConnect, UnknownHost) {
  auto options = postgres_options();
  options.host = "no-such-host.invalid";
  EXPECT_EQ(connecting(options), "sql.cannot_connect, retryable");
}

TEST(PostgresConnect, TlsThatTheServerLacksIsRefused) {
  for (const auto tls : {PostgresTls::require, PostgresTls::verify_full}) {
    FaultGate gate(server_port("POSTGRES_PORT"));
    auto options = postgres_options();
    options.port = gate.port();
    options.tls = tls;
    options.tls_root_file = "/dev/null";  // not even asked for
    EXPECT_EQ(connecting(options), "sql.cannot_connect");
    EXPECT_LE(gate.asked(), 8U);  // the request for TLS, and nothing in the clear
  }
}

TEST(PostgresConnect, TooOldAServerIsRefused) {
  auto options = postgres_options();
  options.server_version_min = 990'000;
  EXPECT_EQ(connecting(options), "sql.server_too_old");
}

TEST(PostgresConnect, SilentServerIsLeftAtTheDeadline) {
  const SilentServer silent;
  silent.listen();
  auto options = postgres_options();
  options.port = silent.port();
  options.connect_max = kNever;
  const auto driver = postgres_driver(options);
  const auto deadline = Clock::Steady::clock::now() + milliseconds(50);
  in_time([&] {
    EXPECT_EQ(thrown_by([&] { static_cast<void>(driver->connect({.deadline = deadline})); }),
              "sql.deadline, retryable");
  });
}

TEST(PostgresConnect, TheServersLimitIsKnown) {
  const auto limit = postgres_driver(postgres_options())->connections_max();
  ASSERT_TRUE(limit.has_value());
  EXPECT_EQ(*limit, 97U);  // 100, of which three are the superusers'
}

}  // namespace
}  // namespace carrel::test
