// Where a session finds its transaction and its route.
#include <thread>

#include "carrel/scope/snapshot.h"
#include "session/stub_session.h"

namespace carrel::test {
namespace {

TEST_F(StubSession, AStatementOutsideATransactionBorrowsForItself) {
  session_.execute("alone");
  EXPECT_EQ(consumer_pool_.stats().active, 0U);
  EXPECT_EQ(sent(), (Diary{"1 alone"}));
}

TEST_F(StubSession, SlotsNameTheTablesOfTheBoundBook) {
  session_.execute("select * from {account} where note = '{account}'");
  EXPECT_EQ(sent(), (Diary{"1 select * from consumer_account where note = '{account}'"}));
  const auto merchant = book_.bind("merchant");
  session_.execute("select * from {account} where note = '{account}'");
  EXPECT_EQ(sent(), Diary());
  EXPECT_EQ(merchant_driver_.diary(),
            (Diary{"1 select * from merchant_account where note = '{account}'"}));
}

TEST_F(StubSession, SqlWithoutAMarkerIsAnError) {
  book_.remove();
  EXPECT_EQ(code_of([&] { session_.execute("select * from {account}"); }), "no_marker");
  EXPECT_EQ(code_of([&] { session_.execute("select 1"); }), "no_marker");
  EXPECT_EQ(code_of([&] { session_.transaction([&] { session_.execute("select 1"); }); }),
            "no_marker");
  EXPECT_EQ(sent(), Diary());
}

TEST_F(StubSession, UnknownSlotsAndMarkersAreErrors) {
  EXPECT_EQ(code_of([&] { session_.execute("select * from {acount}"); }), "unknown_slot");
  EXPECT_EQ(code_of([&] { session_.execute("select * from {}"); }), "unknown_slot");
  EXPECT_EQ(code_of([&] { session_.execute("select * from {account"); }), "unknown_slot");
  EXPECT_EQ(code_of([&] { session_.execute("select * from { account }"); }), "unknown_slot");
  book_.set("nobody");
  EXPECT_EQ(code_of([&] { session_.execute("select 1"); }), "unknown_route");
  EXPECT_EQ(sent(), Diary());
}

TEST_F(StubSession, ATransactionDoesNotFollowTheMarkerToAnotherRoute) {
  const auto code = code_of([&] {
    session_.transaction([&] {
      session_.execute("first");
      const auto merchant = book_.bind("merchant");
      session_.execute("second");
    });
  });
  EXPECT_EQ(code, "route_changed");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 first", "1 rollback"}));
  EXPECT_EQ(merchant_driver_.diary(), Diary());
}

TEST_F(StubSession, AnotherRouteTakesATransactionOfItsOwn) {
  session_.transaction([&] {
    session_.execute("first");
    const auto merchant = book_.bind("merchant");
    session_.transaction({.propagation = Propagation::requires_new},
                         [&] { session_.execute("second"); });
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 first", "1 commit"}));
  EXPECT_EQ(merchant_driver_.diary(), (Diary{"1 begin", "1 second", "1 commit"}));
}

TEST_F(StubSession, OutsideAnyScopeThereIsNoSession) {
  scope_.reset();
  EXPECT_EQ(code_of([&] { session_.execute("select 1"); }), "no_scope");
  EXPECT_EQ(code_of([&] { session_.transaction([] {}); }), "no_scope");
  EXPECT_FALSE(session_.in_transaction());
}

TEST_F(StubSession, AFreshScopeOnAUsedThreadSeesNoTransactionAndNoMarker) {
  session_.transaction([&] {
    session_.execute("outer");
    const Scope fresh({.name = "another request"});
    EXPECT_FALSE(session_.in_transaction());
    EXPECT_EQ(code_of([&] { session_.execute("select 1"); }), "no_marker");
  });
}

TEST_F(StubSession, ATransactionOfOneThreadIsNobodyElses) {
  session_.transaction([&] {
    session_.execute("here");
    std::thread([&] {
      const Scope scope({.name = "elsewhere"});
      book_.set("consumer");
      EXPECT_FALSE(session_.in_transaction());
      session_.execute("there");
    }).join();
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 here", "2 there", "1 commit"}));
}

TEST_F(StubSession, ABoundTransactionNeverFlowsWithASnapshot) {
  session_.transaction([&] {
    session_.execute("here");
    const Snapshot snapshot = Snapshot::capture();
    std::thread([&] {
      snapshot.run([&] {
        EXPECT_EQ(book_.get(), "consumer") << "the marker does";
        EXPECT_FALSE(session_.in_transaction());
        session_.execute("there");
      });
    }).join();
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 here", "2 there", "1 commit"}));
}

TEST_F(StubSession, TheScopeNamesTheBorrower) {
  EXPECT_EQ(scope_label(), "a test");
  scope_.reset();
  EXPECT_EQ(scope_label(), "");
}

TEST(Session, WithOneRouteNeedsNoMarker) {
  StubDriver driver;
  Pool pool({.name = "only", .size_max = 1, .maintain_every = {}}, driver);
  Session session({.routes = {{"only", &pool, {{"account", "account"}}}}});
  const Scope scope({.name = "a tool"});
  session.execute("select * from {account}");
  EXPECT_EQ(driver.diary(), (Diary{"1 select * from account"}));
}

TEST(Session, ARouteOfARoleOrASchemaAloneHasAPlaceAsWell) {
  StubDriver driver({.name = "stub", .remote = true, .pool_size_default = 2, .places = true});
  Pool pool({.name = "one", .maintain_every = {}}, driver);
  const Scope scope({.name = "a test"});
  for (const auto& place : {Place{.role = "r"}, Place{.schema = "s"}, Place()}) {
    Session session({.routes = {{.name = "one", .pool = &pool, .place = place}}});
    session.execute("select");
    session.transaction([&] { session.execute("insert"); });
  }
  EXPECT_EQ(driver.diary(),
            (Diary{"1 place r/", "1 select", "1 place r/", "1 begin", "1 insert", "1 commit",
                   "1 place /s", "1 select", "1 place /s", "1 begin", "1 insert", "1 commit",
                   "1 select", "1 begin", "1 insert", "1 commit"}));
}

TEST(SessionDeathTest, NeedsAMarkerToChooseBetweenRoutes) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  StubDriver driver;
  Pool pool({.name = "only", .size_max = 1, .maintain_every = {}}, driver);
  EXPECT_DEATH(Session({.routes = {{"a", &pool, {}}, {"b", &pool, {}}}}), "marker");
  EXPECT_DEATH(Session({.routes = {{"a", &pool, {{"t", "x; drop table y"}}}}}), "names no table");
}

}  // namespace
}  // namespace carrel::test
