// What the drivers say when the link is cut after each byte of the server's answers, on both
// servers, and whether it is true.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>

#include "drivers/behind_a_gate.h"

namespace carrel::test {
namespace {

using std::array;

constexpr int kTwin = 1'000'000;  // from a row to the one that was loaded with it

class Cuts : public BehindAGate {
 protected:
  // Two rows, of which one is never there without the other.
  static void load(Connection& connection, int id) {
    constexpr array<std::string_view, 1> columns = {"id"};
    const array values = {Value(id), Value(id + kTwin)};
    connection.load({.table = "item", .columns = columns, .values = values});
  }
  // The same twice: on MariaDB in two chunks, since behind the gate it sends two rows at a time.
  static void load_in_chunks(Connection& connection, int id) {
    constexpr array<std::string_view, 1> columns = {"id"};
    const array values = {Value(id), Value(id + kTwin), Value(id + 2 * kTwin),
                          Value(id + 3 * kTwin)};
    connection.load({.table = "item", .columns = columns, .values = values});
  }
  static void load_in_chunks_in_a_transaction(Connection& connection, int id) {
    connection.begin({});
    load_in_chunks(connection, id);
    connection.commit();
  }
  static void load_in_a_transaction(Connection& connection, int id) {
    connection.begin({});
    load(connection, id);
    connection.commit();
  }
  void expect_no_row_without_its_twin(int twins = 1) {
    for (int twin = 1; twin <= twins; ++twin) {
      EXPECT_EQ(observer_
                    ->execute("select count(*) from item a where id < $1 and not exists "
                              "(select 1 from item b where b.id = a.id + $2)",
                              array{Value(kTwin / 2), Value(twin * kTwin)})
                    .one()
                    .get<int>(0),
                0);
    }
  }

  // Runs `prepare` and then `work`, again and again, with the link cut after each byte of the
  // answers to the latter: each time it must say false, and the connection be given up.
  void fails_cut_at_every_byte(const std::function<void(Connection&)>& prepare,
                               const std::function<bool(Connection&)>& work) {
    gate_.set({});
    auto connection = open();
    prepare(*connection);
    gate_.set({});
    EXPECT_TRUE(work(*connection));
    const auto total = gate_.passed();
    ASSERT_GT(total, 4U);
    for (std::size_t cut = 0; cut < total; ++cut) {
      gate_.set({});
      connection = open();
      prepare(*connection);
      gate_.set({.cut_after = cut});
      EXPECT_FALSE(work(*connection)) << "cut after " << cut;
      EXPECT_TRUE(connection->broken()) << "cut after " << cut;
      EXPECT_FALSE(connection->in_transaction()) << "cut after " << cut;
    }
  }

  // Runs `work` once for every byte of the server's answers, with the link cut after that byte, and
  // compares what was said with what happened.
  void cut_at_every_byte(const std::function<void(Connection&, int)>& work) {
    auto connection = open();
    work(*connection, 0);
    gate_.set({});
    work(*connection, 1);
    const auto total = gate_.passed();
    ASSERT_GT(total, 10U);
    int doubts = 0;
    for (std::size_t cut = 0; cut < total; ++cut) {
      gate_.set({});
      connection = open();
      work(*connection, -static_cast<int>(cut) - 1);  // so that everything is prepared
      const int id = 2 + static_cast<int>(cut);
      gate_.set({.cut_after = cut});
      const auto thrown = thrown_by([&] { work(*connection, id); });
      EXPECT_TRUE(connection->broken()) << cut;
      EXPECT_FALSE(connection->in_transaction()) << cut;
      connection.reset();
      if (thrown == "sql.connection_lost, in doubt") {
        ++doubts;
      } else if (thrown == "nothing") {
        EXPECT_TRUE(exists(id)) << "cut after " << cut;
      } else {
        EXPECT_EQ(thrown, "sql.connection_lost, retryable") << "cut after " << cut;
        EXPECT_FALSE(exists(id)) << "cut after " << cut;
      }
    }
    EXPECT_GT(doubts, 0);
  }
};

TEST_P(Cuts, ATransactionCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Cuts::transfer);
}

TEST_P(Cuts, ATransactionThatBeginsWithAPlainTextCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Cuts::transfer_plainly);
}

TEST_P(Cuts, ABatchWithItsCommitCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Cuts::transfer_at_once);
}

TEST_P(Cuts, ALoadCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Cuts::load);
  expect_no_row_without_its_twin();
}

TEST_P(Cuts, ALoadInATransactionCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Cuts::load_in_a_transaction);
  expect_no_row_without_its_twin();
}

TEST_P(Cuts, ALoadInChunksCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Cuts::load_in_chunks);
  expect_no_row_without_its_twin(3);
}

TEST_P(Cuts, ALoadInChunksInATransactionCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Cuts::load_in_chunks_in_a_transaction);
  expect_no_row_without_its_twin(3);
}

TEST_P(Cuts, AResetCutAtAnyByteIsNoCleanConnection) {
  const auto reset = [](Connection& connection) { return connection.reset(); };
  const auto open_transaction = [](Connection& connection) {
    connection.begin({});
    insert(connection, 1);
  };
  fails_cut_at_every_byte(open_transaction, reset);
  fails_cut_at_every_byte(
      [&](Connection& connection) {
        connection.execute(GetParam().leave_a_mess);
        open_transaction(connection);
      },
      reset);
  EXPECT_FALSE(exists(1));
}

TEST_P(Cuts, ASignOfLifeCutAtAnyByteIsNone) {
  fails_cut_at_every_byte([](Connection&) {},
                          [](Connection& connection) { return connection.validate(); });
}

TEST_P(Cuts, ARefusalCutAtAnyByteNamesNoValue) {
  observer_->execute("drop table if exists numbered");
  observer_->execute("create table numbered (number integer)");
  const auto refused = [](Connection& connection) {
    return message_of([&] {
      connection.execute("insert into numbered select $1", array{Value("alice-secret")});
    });
  };
  auto connection = open();
  static_cast<void>(refused(*connection));
  gate_.set({});
  EXPECT_NE(refused(*connection), "");
  const auto total = gate_.passed();
  for (std::size_t cut = 0; cut < total; ++cut) {
    gate_.set({});
    connection = open();
    static_cast<void>(refused(*connection));
    gate_.set({.cut_after = cut});
    const auto message = refused(*connection);
    EXPECT_NE(message, "") << "cut after " << cut;
    EXPECT_EQ(message.find("secret"), std::string::npos) << "cut after " << cut << ": " << message;
  }
}

TEST_P(Cuts, AGreetingCutAtAnyByteIsNoConnection) {
  gate_.set({});
  open();
  const auto total = gate_.passed();
  for (std::size_t cut = 0; cut < total; ++cut) {
    gate_.set({.cut_after = cut});
    const auto thrown = thrown_by([&] { static_cast<void>(open()); });
    EXPECT_TRUE(thrown.starts_with("sql.cannot_connect")) << "cut after " << cut << ": " << thrown;
  }
  gate_.set({});
  EXPECT_TRUE(open()->validate());
}

INSTANTIATE_TEST_SUITE_P(Servers, Cuts, testing::ValuesIn(gated_servers()), name_of);

}  // namespace
}  // namespace carrel::test
