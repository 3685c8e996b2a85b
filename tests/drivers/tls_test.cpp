// TLS as the drivers' options ask for it, against servers whose certificates name db.carrel.test.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <stdlib.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/in_time.h"
#include "db/array_contract.h"
#include "db/load_contract.h"
#include "db/text_contract.h"
#include "drivers/always_ahead.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/mariadb_backend.h"
#include "drivers/own_resolver.h"
#include "drivers/postgres_backend.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::chrono::milliseconds;

constexpr const char* kHost = "db.carrel.test";

enum class Tls { off, prefer, require, verify_full };

// What a test asks of a driver.
struct Ask {
  Tls tls = Tls::require;
  std::string host = kHost;
  std::string server = "TLS";     // or "EXPIRED"
  std::string authority = "TLS";  // whose is trusted: of "TLS", "EXPIRED"; "": the system's
  std::optional<std::uint16_t> port = {};  // the server's own
  milliseconds connect_max{10'000};
  milliseconds grace{10'000};
};

struct Server {
  std::string name;  // as servers.env has it
  std::function<std::unique_ptr<Driver>(const Ask&)> driver;
  std::string cipher;  // a query for what the server encrypts this link with, or ''
};

void PrintTo(const Server& server, std::ostream* out) {
  *out << server.name;
}

std::string authority_file(const std::string& server, const std::string& database) {
  if (server.empty()) return {};
  return server_setting(server + "_" + database + "_DIR") + "/tls/authority.pem";
}

template <class Options>
void apply(const Ask& ask, const std::string& database, Options& options) {
  options.tls = static_cast<decltype(options.tls)>(ask.tls);
  options.host = ask.host;
  options.tls_root_file = authority_file(ask.authority, database);
  options.connect_max = ask.connect_max;
  options.grace = ask.grace;
  if (ask.port) options.port = *ask.port;
}

PostgresOptions postgres_of(const Ask& ask) {
  auto options = postgres_options(ask.server + "_POSTGRES");
  apply(ask, "POSTGRES", options);
  return options;
}

MariadbOptions mariadb_of(const Ask& ask) {
  auto options = mariadb_options(ask.server + "_MARIADB");
  apply(ask, "MARIADB", options);
  return options;
}

class TlsLink : public testing::TestWithParam<Server> {
 protected:
  static std::unique_ptr<Connection> connect(const Ask& ask, Clock::Steady deadline = kNoDeadline) {
    return GetParam().driver(ask)->connect({.deadline = deadline});
  }
  static std::string connecting(const Ask& ask) {
    return thrown_by([&] { static_cast<void>(connect(ask)); });
  }
  static std::string cipher_of(Connection& connection) {
    return connection.execute(GetParam().cipher).one().get<std::string>(0);
  }
  static std::uint16_t server_port_of(const std::string& server) {
    return server_port(server + "_" + GetParam().name + "_PORT");
  }
};

TEST_P(TlsLink, IsEncryptedWhereTlsIsRequired) {
  EXPECT_NE(cipher_of(*connect({.tls = Tls::require})), "");
}

TEST_P(TlsLink, IsEncryptedByPreferenceWhereTheServerCan) {
  EXPECT_NE(cipher_of(*connect({.tls = Tls::prefer})), "");
}

TEST_P(TlsLink, IsPlainWhereTlsIsOff) {
  EXPECT_EQ(cipher_of(*connect({.tls = Tls::off})), "");
}

TEST_P(TlsLink, AsksNobodyWhoTheServerIsUnlessToldTo) {
  for (const auto tls : {Tls::prefer, Tls::require}) {
    EXPECT_NE(cipher_of(*connect({.tls = tls, .host = "127.0.0.1", .authority = ""})), "");
    EXPECT_NE(cipher_of(*connect({.tls = tls, .server = "EXPIRED", .authority = ""})), "");
  }
}

TEST_P(TlsLink, IsVerifiedByAuthorityAndName) {
  EXPECT_NE(cipher_of(*connect({.tls = Tls::verify_full})), "");
}

TEST_P(TlsLink, RefusesACertificateOfAnUnknownAuthority) {
  EXPECT_EQ(connecting({.tls = Tls::verify_full, .authority = "EXPIRED"}), "sql.cannot_connect");
  EXPECT_EQ(connecting({.tls = Tls::verify_full, .authority = ""}), "sql.cannot_connect");
}

TEST_P(TlsLink, AsksForTheAuthorityThatIsNamedAlsoWhereTlsIsOnlyRequired) {
  EXPECT_EQ(connecting({.tls = Tls::require, .host = "127.0.0.1"}), "nothing");
  EXPECT_EQ(connecting({.tls = Tls::require, .authority = "EXPIRED"}), "sql.cannot_connect");
}

TEST_P(TlsLink, RefusesACertificateOfAnotherName) {
  for (const auto* host : {"other.carrel.test", "localhost", "127.0.0.1"}) {
    EXPECT_EQ(connecting({.tls = Tls::verify_full, .host = host}), "sql.cannot_connect") << host;
  }
}

TEST_P(TlsLink, RefusesAnExpiredCertificate) {
  EXPECT_EQ(connecting({.tls = Tls::verify_full, .server = "EXPIRED", .authority = "EXPIRED"}),
            "sql.cannot_connect");
}

TEST_P(TlsLink, PassesWhatIsLargerThanAnyBuffer) {
  const auto connection = connect({.tls = Tls::require});
  const std::string text(5'000'000, 'x');
  const std::array values{Value(text)};
  for (int i = 0; i < 3; ++i) {
    const auto answer = connection->execute("select $1", values);
    EXPECT_TRUE(answer.one().get<std::string_view>(0) == text);
  }
}

TEST_P(TlsLink, PassesByteByByte) {
  FaultGate gate(server_port_of("TLS"));
  gate.set({.fragment = true});
  const auto connection = connect({.tls = Tls::verify_full, .port = gate.port()});
  EXPECT_EQ(connection->execute("select 7").one().get<int>(0), 7);
}

TEST_P(TlsLink, IsLeftAtTheDeadlineWhenABlackHoleSwallowsIt) {
  FaultGate gate(server_port_of("TLS"));
  const auto connection =
      connect({.tls = Tls::require, .port = gate.port(), .grace = milliseconds(40)});
  ASSERT_TRUE(connection->validate());
  gate.set({.black_hole = true});
  connection->set_deadline(Clock::Steady::clock::now() + milliseconds(40));
  in_time([&] {
    EXPECT_EQ(thrown_by([&] { connection->execute("select 1"); }), "sql.deadline, retryable");
  });
  EXPECT_TRUE(connection->broken());
}

TEST_P(TlsLink, IsGivenUpWhenItIsCutWhileSending) {
  FaultGate gate(server_port_of("TLS"));
  const auto connection = connect({.tls = Tls::require, .port = gate.port()});
  gate.set({.cut_asked = 100'000});
  const std::string text(5'000'000, 'x');
  const std::array values{Value(text)};
  EXPECT_EQ(thrown_by([&] { connection->execute("select $1", values); }),
            "sql.connection_lost, retryable");
  EXPECT_TRUE(connection->broken());
}

TEST_P(TlsLink, IsLeftAtTheDeadlineWhereverItsGreetingStandsStill) {
  FaultGate gate(server_port_of("TLS"));
  static_cast<void>(connect({.tls = Tls::verify_full, .port = gate.port()}));
  const auto total = gate.passed();
  ASSERT_GT(total, 1'000U);  // with the certificate
  const std::size_t step = 1 + total / 20;
  for (std::size_t said = 0; said < total; said += step) {
    gate.set({.cut_after = said, .swallow = true});
    const auto driver =
        GetParam().driver({.tls = Tls::verify_full, .port = gate.port(), .connect_max = kNever});
    const auto deadline = Clock::Steady::clock::now() + milliseconds(100);
    const auto thrown = in_time([&] {
      return thrown_by([&] { static_cast<void>(driver->connect({.deadline = deadline})); });
    });
    EXPECT_EQ(thrown, "sql.deadline, retryable") << said << " of " << total;
    gate.set({.refuse = true});
  }
}

TEST_P(TlsLink, IsRetryableWhereverItsGreetingIsCut) {
  FaultGate gate(server_port_of("TLS"));
  static_cast<void>(connect({.tls = Tls::verify_full, .port = gate.port()}));
  const auto total = gate.passed();
  const std::size_t step = 1 + total / 20;
  for (std::size_t cut = 0; cut < total; cut += step) {
    gate.set({.cut_after = cut});
    EXPECT_EQ(connecting({.tls = Tls::verify_full, .port = gate.port()}),
              "sql.cannot_connect, retryable")
        << cut << " of " << total;
  }
}

// One look-up that hangs serves all attempts, so that a resolver which hangs collects no threads.
TEST_P(TlsLink, LeavesASlowResolverAtTheDeadlineWithOneThreadForAllAttempts) {
  for (const auto tls : {Tls::off, Tls::require, Tls::verify_full}) {
    const auto host = "slow-" + std::to_string(static_cast<int>(tls)) + ".carrel.test";
    const auto driver = GetParam().driver({.tls = tls, .host = host, .connect_max = kNever});
    const SlowResolver slow;
    for (int i = 0; i < 5; ++i) {
      const auto deadline = Clock::Steady::clock::now() + milliseconds(10);
      in_time([&] {
        EXPECT_EQ(thrown_by([&] { static_cast<void>(driver->connect({.deadline = deadline})); }),
                  "sql.deadline, retryable");
      });
    }
    in_time([] {
      while (SlowResolver::waiting() == 0) std::this_thread::yield();
    });
    EXPECT_EQ(SlowResolver::waiting(), 1U);
  }
}

// Of those that wait for one look-up, each gets its answer; the next one asks anew.
TEST_P(TlsLink, AllWhoWaitForANameGetIt) {
  const auto driver =
      GetParam().driver({.tls = Tls::off, .host = "slow.carrel.test", .connect_max = kNever});
  std::vector<std::thread> callers;
  std::atomic<int> connected = 0;
  {
    const SlowResolver slow;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        if (driver->connect({})->validate()) ++connected;
      });
    }
    in_time([] {
      while (SlowResolver::waiting() == 0) std::this_thread::yield();
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(connected, 4);
  EXPECT_TRUE(driver->connect({})->validate());
}

// By the driver: libpq, which would wait for it without a deadline, gets the address, and the name
// only to verify.
TEST(PostgresTlsLink, ItsNameIsResolvedOnceAndVerifiedAllTheSame) {
  for (const auto tls : {Tls::off, Tls::require, Tls::verify_full}) {
    const auto before = resolved();
    EXPECT_TRUE(postgres_driver(postgres_of({.tls = tls}))->connect({})->validate());
    EXPECT_EQ(resolved() - before, 1U);
  }
}

// libpq wants a file of its own there.
TEST(MariadbTlsLink, IsVerifiedByTheSystemsAuthoritiesWhereNoneAreNamed) {
  ASSERT_EQ(setenv("SSL_CERT_FILE", authority_file("TLS", "MARIADB").c_str(), 1), 0);
  const auto connecting = [](const std::string& host) {
    return thrown_by([&] {
      const auto driver =
          mariadb_driver(mariadb_of({.tls = Tls::verify_full, .host = host, .authority = ""}));
      static_cast<void>(driver->connect({}));
    });
  };
  EXPECT_EQ(connecting(kHost), "nothing");
  EXPECT_EQ(connecting("other.carrel.test"), "sql.cannot_connect");
  unsetenv("SSL_CERT_FILE");
}

// As whatever else a program does with OpenSSL on the same thread may leave behind.
TEST(MariadbTlsLink, MindsNoErrorOfAnybodyElses) {
  const auto connection = mariadb_driver(mariadb_of({.tls = Tls::require}))->connect({});
  ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
  EXPECT_EQ(connection->execute("select 7").one().get<int>(0), 7);
}

// A server that always has more to say than was read so far lets nobody wait, and so no wait end.
TEST(MariadbTlsLink, AnAnswerThatNeverPausesEndsAtTheDeadlineEncryptedOrNot) {
  for (const auto tls : {Tls::off, Tls::require}) {
    for (const bool as_text : {false, true}) {  // along with BEGIN
      const auto connection = mariadb_driver(mariadb_of({.tls = tls}))->connect({});
      if (as_text) connection->begin({});
      {
        const AlwaysAhead fast;
        connection->set_deadline(Clock::Steady::clock::now() + milliseconds(20));
        EXPECT_EQ(thrown_by([&] {
                    connection->execute("select repeat('x', 1000000) from seq_1_to_400");
                  }),
                  "sql.deadline, retryable");
      }
      EXPECT_FALSE(connection->broken());
      connection->set_deadline(kNoDeadline);
      connection->rollback();
      EXPECT_EQ(connection->execute("select 7").one().get<int>(0), 7);
    }
  }
}

// OpenSSL reads the head of a record, and then its body: not once the time is over. From then on
// reads find what has come already and the end of the link, or libmariadb would go on with the call
// for ever.
TEST(MariadbTlsLink, IsLeftInTheMidstOfARecord) {
  FaultGate gate(server_port("TLS_MARIADB_PORT"));
  const auto connection = mariadb_driver(mariadb_of({.port = gate.port()}))->connect({});
  connection->begin({});
  connection->execute("select 7");
  gate.set({.delay = milliseconds(60)});
  const AlwaysAhead fast;  // waits for the head until it comes, which is after the deadline
  connection->set_deadline(Clock::Steady::clock::now() + milliseconds(20));
  const auto thrown = in_time([&] { return thrown_by([&] { connection->savepoint(1); }); });
  EXPECT_TRUE(thrown == "sql.deadline, retryable" || thrown == "nothing") << thrown;
  EXPECT_TRUE(connection->broken());
}

// libmariadb makes the socket block for that.
TEST(MariadbTlsLink, IsLeftAtTheDeadlineAlsoWhereAStatementHasBeenClosed) {
  FaultGate gate(server_port("TLS_MARIADB_PORT"));
  auto options = mariadb_of({.port = gate.port(), .grace = milliseconds(40)});
  options.statements_max = 1;
  const auto connection = mariadb_driver(options)->connect({});
  const std::array values{Value(1)};
  for (const auto* sql : {"select 1 + $1", "select 2 + $1", "select 3 + $1"}) {
    EXPECT_EQ(connection->execute(sql, values).size(), 1U);
  }
  gate.set({.black_hole = true});
  connection->set_deadline(Clock::Steady::clock::now() + milliseconds(40));
  in_time([&] {
    EXPECT_EQ(thrown_by([&] { connection->execute("select 3 + $1", values); }),
              "sql.deadline, retryable");
  });
}

const Server kServers[] = {
    {.name = "POSTGRES",
     .driver = [](const Ask& ask) { return postgres_driver(postgres_of(ask)); },
     .cipher = "select coalesce(cipher, '') from pg_stat_ssl where pid = pg_backend_pid()"},
    {.name = "MARIADB",
     .driver = [](const Ask& ask) { return mariadb_driver(mariadb_of(ask)); },
     .cipher = "select variable_value from information_schema.session_status "
               "where variable_name = 'SSL_CIPHER'"}};

INSTANTIATE_TEST_SUITE_P(Servers, TlsLink, testing::ValuesIn(kServers), [](const auto& test) {
  return test.param.name == "POSTGRES" ? std::string("Postgres") : std::string("Mariadb");
});

// Everything else that a connection does: statements, loads, deadlines and cancels.
const Backend kEncrypted[] = {
    postgres_backend([] { return postgres_of({.tls = Tls::verify_full}); }),
    mariadb_backend([] { return mariadb_of({.tls = Tls::verify_full}); })};

INSTANTIATE_TEST_SUITE_P(Encrypted, ConnectionContract,
                         testing::Values(&kEncrypted[0], &kEncrypted[1]), [](const auto& test) {
                           return test.param == &kEncrypted[0] ? std::string("Postgres")
                                                               : std::string("Mariadb");
                         });

}  // namespace
}  // namespace carrel::test
