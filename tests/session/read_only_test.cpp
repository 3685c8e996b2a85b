// TransactionOptions::read_only, of a call that begins, joins, or runs without a transaction.
#include <array>

#include "session/stub_session.h"

namespace carrel::test {
namespace {

using P = Propagation;

class ReadOnly : public StubSession {
 protected:
  // Everything that a closure may write by.
  [[nodiscard]] std::vector<std::function<void()>> ways_to_write() {
    return {[this] { session_.execute("insert"); },
            [this] { session_.batch(Batch().add("select").add("insert")); },
            [this] {
              const std::array<std::string_view, 1> columns = {"id"};
              const std::array values = {Value(1)};
              session_.load("account", columns, values);
            }};
  }
};

TEST_F(ReadOnly, OfACallThatJoinsIsKeptThoughTheTransactionMayWrite) {
  for (const auto mode : {P::required, P::supports, P::mandatory, P::nested}) {
    for (const auto& write : ways_to_write()) {
      session_.transaction([&] {
        session_.execute("insert outer");
        session_.transaction({.propagation = mode, .read_only = true}, [&] {
          session_.execute("select inner");
          EXPECT_EQ(code_of(write), "read_only_mismatch");
        });
        session_.execute("insert outer again");  // the promise was the call's
      });
      const auto diary = sent();
      EXPECT_EQ(diary.front(), "1 begin");
      EXPECT_EQ(diary.back(), "1 commit");
      EXPECT_EQ(std::ranges::count(diary, "1 insert"), 0);
      EXPECT_EQ(std::ranges::count(diary, "1 select inner"), 1);
    }
  }
}

TEST_F(ReadOnly, OfACallThatJoinsHoldsForTheCallsInsideThatArePartOfIt) {
  session_.transaction([&] {
    session_.transaction({.read_only = true}, [&] {
      for (const auto mode : {P::required, P::supports, P::mandatory, P::nested}) {
        session_.transaction({.propagation = mode}, [&] {
          EXPECT_EQ(code_of([&] { session_.execute("insert"); }), "read_only_mismatch");
        });
      }
    });
  });
  EXPECT_EQ(sent(), Diary());
}

TEST_F(ReadOnly, OfACallThatJoinsIsNoMatterOfWhatPutsTheTransactionAside) {
  session_.transaction([&] {
    session_.execute("insert outer");
    session_.transaction({.read_only = true}, [&] {
      session_.transaction({.propagation = P::requires_new}, [&] { session_.execute("insert"); });
      session_.transaction({.propagation = P::not_supported}, [&] { session_.execute("insert"); });
      EXPECT_EQ(code_of([&] { session_.execute("insert"); }), "read_only_mismatch");
    });
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 insert outer", "2 begin", "2 insert", "2 commit",
                           "2 insert", "1 commit"}));
}

TEST_F(ReadOnly, OfACallWithoutATransactionIsKeptAndHandedToWhatBeginsInsideIt) {
  for (const auto mode : {P::supports, P::not_supported, P::never}) {
    session_.transaction({.propagation = mode, .read_only = true}, [&] {
      session_.execute("select");
      for (const auto& write : ways_to_write()) EXPECT_EQ(code_of(write), "read_only_mismatch");
      session_.transaction([&] { session_.execute("select inner"); });
      session_.transaction({.propagation = P::requires_new}, [&] { session_.execute("insert"); });
    });
    EXPECT_EQ(sent(), (Diary{"1 select", "1 begin read only", "1 select inner", "1 commit",
                             "1 begin", "1 insert", "1 commit"}));
    session_.execute("insert");  // and ends with the call
    static_cast<void>(sent());
  }
}

// Most functions do not say whether they write: one that only reads is welcome.
TEST_F(ReadOnly, OfATransactionIsTheDatabasesToKeepWhoeverJoins) {
  session_.transaction({.read_only = true}, [&] {
    session_.transaction([&] { session_.execute("select joined"); });
    session_.transaction({.propagation = P::nested}, [&] { session_.execute("select nested"); });
    session_.transaction({.read_only = true}, [&] { session_.execute("select read only"); });
  });
  EXPECT_EQ(sent(), (Diary{"1 begin read only", "1 select joined", "1 savepoint carrel_1",
                           "1 select nested", "1 release savepoint carrel_1", "1 select read only",
                           "1 commit"}));
}

TEST_F(ReadOnly, TellsWhichStatementItWasWithoutItsValues) {
  session_.transaction([&] {
    session_.transaction({.read_only = true}, [&] {
      try {
        session_.execute("update {account} set secret = 'value'");
        FAIL() << "it wrote";
      } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_NE(message.find("update consumer_account set secret = ?"), std::string::npos)
            << message;
      }
    });
  });
}

// On a database with one writer, what seems to read is given to a reader.
class OneWriter : public testing::Test {
 protected:
  StubDriver driver_{
      {.name = "stub", .single_writer = true, .remote = false, .pool_size_default = 2}};
  Pool pool_{{.name = "one writer", .maintain_every = {}}, driver_};
  Session session_{{.routes = {{"all", &pool_, {}}}}};
  const Scope scope_{{.name = "a test"}};
};

TEST_F(OneWriter, TakesAStatementThatAReaderHasRefusedAndEveryFurtherOne) {
  for (int i = 0; i < 2; ++i) session_.execute("with gone as (delete) select");
  EXPECT_EQ(driver_.diary(), Diary(2, "1 with gone as (delete) select"));
  driver_.forget_diary();
  for (int i = 0; i < 2; ++i) session_.execute("values (writes())");  // no word tells
  EXPECT_EQ(driver_.diary(),
            (Diary{"2 values (writes())", "1 values (writes())", "1 values (writes())"}));
}

TEST_F(OneWriter, IsNotAskedWhereAReaderFailsForAnotherReason) {
  driver_.at(StubPoint::execute, [] { throw SqlError("sql.no_table", {}); });
  EXPECT_EQ(code_of([&] { session_.execute("select"); }), "sql.no_table");
  EXPECT_EQ(driver_.diary().size(), 1U);
}

}  // namespace
}  // namespace carrel::test
