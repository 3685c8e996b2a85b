#include <gtest/gtest.h>

#include <chrono>

#include "base/in_time.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/mariadb_server.h"
#include "drivers/servers.h"
#include "drivers/silent_server.h"

namespace carrel::test {
namespace {

using std::chrono::milliseconds;

std::string connecting(MariadbOptions options) {
  return thrown_by([&] { open_mariadb(std::move(options)); });
}

TEST(MariadbConnect, GivesAConnectionThatAnswers) {
  auto connection = open_mariadb();
  EXPECT_TRUE(connection->validate());
  EXPECT_EQ(connection->execute("select 7").one().get<int>(0), 7);
}

TEST(MariadbConnect, FindsTheServerByName) {
  auto options = mariadb_options();
  options.host = "localhost";
  EXPECT_TRUE(open_mariadb(options)->validate());
}

TEST(MariadbConnect, WrongPasswordIsAccessDenied) {
  auto options = mariadb_options();
  options.password = "guess";
  EXPECT_EQ(connecting(options), "sql.access_denied");
}

TEST(MariadbConnect, TheErrorNamesNoPassword) {
  auto options = mariadb_options();
  options.password = "s3cret-guess";
  const auto message = message_of([&] { open_mariadb(options); });
  EXPECT_NE(message.find("Access denied"), std::string::npos) << message;
  EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
}

TEST(MariadbConnect, UnknownDatabase) {
  auto options = mariadb_options();
  options.database = "nowhere";
  EXPECT_EQ(connecting(options), "sql.no_database");
}

TEST(MariadbConnect, NoServerIsRetryable) {
  const SilentServer closed;
  auto options = mariadb_options();
  options.port = closed.port();
  EXPECT_EQ(connecting(options), "sql.cannot_connect, retryable");
}

TEST(MariadbConnect, UnknownHost) {
  auto options = mariadb_options();
  options.host = "no-such-host.invalid";
  EXPECT_EQ(connecting(options), "sql.cannot_connect, retryable");
}

TEST(MariadbConnect, TlsThatTheServerLacksIsRefused) {
  auto options = mariadb_options();
  options.tls = MariadbTls::require;
  EXPECT_EQ(connecting(options), "sql.cannot_connect");
}

TEST(MariadbConnect, VerifyFullSaysNothingToAServerWithoutTls) {
  FaultGate gate(server_port("MARIADB_PORT"));
  auto options = mariadb_options();
  options.port = gate.port();
  options.tls = MariadbTls::verify_full;
  EXPECT_EQ(connecting(options), "sql.cannot_connect");
  EXPECT_EQ(gate.asked(), 0U);
}

TEST(MariadbConnect, TooOldAServerIsRefused) {
  auto options = mariadb_options();
  options.server_version_min = 990'000;
  EXPECT_EQ(connecting(options), "sql.server_too_old");
}

TEST(MariadbConnect, SilentServerIsLeftAtTheDeadline) {
  const SilentServer silent;
  silent.listen();
  auto options = mariadb_options();
  options.port = silent.port();
  options.connect_max = kNever;
  const auto driver = mariadb_driver(options);
  const auto deadline = Clock::Steady::clock::now() + milliseconds(50);
  in_time([&] {
    EXPECT_EQ(thrown_by([&] { static_cast<void>(driver->connect({.deadline = deadline})); }),
              "sql.deadline, retryable");
  });
}

TEST(MariadbConnect, TheServersLimitIsKnown) {
  const auto limit = mariadb_driver(mariadb_options())->connections_max();
  ASSERT_TRUE(limit.has_value());
  EXPECT_EQ(*limit, 99U);  // 100, of which one is for KILL
}

}  // namespace
}  // namespace carrel::test
