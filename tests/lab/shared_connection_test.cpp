#include "lab/shared_connection.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "carrel/base/error.h"
#include "lab/plain_connections.h"
#include "lab/plain_sqlite.h"
#include "lab/temporary_folder.h"

namespace carrel::lab {
namespace {

constexpr std::string_view kInsert = "insert into t values ($1)";

// Lets nobody connect before so many want to: all of them have passed the check by then.
class GatheringDriver final : public Driver {
 public:
  GatheringDriver(Driver& inner, std::ptrdiff_t count) : inner_(inner), all_here_(count) {}

  [[nodiscard]] const Traits& traits() const noexcept override { return inner_.traits(); }
  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions& options) override {
    all_here_.arrive_and_wait();
    return inner_.connect(options);
  }

 private:
  Driver& inner_;
  std::barrier<> all_here_;
};

class SharedConnectionTest : public testing::Test {
 protected:
  SharedConnectionTest() { observer_->execute("create table t (number integer)", {}); }

  std::int64_t rows() {
    return observer_->execute("select count(*) from t", {}).one().get<std::int64_t>(0);
  }

  TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_ = plain_sqlite_driver({.file = folder_.path() / "shared.db"});
  std::unique_ptr<Connection> observer_ = driver_->connect({});
};

TEST_F(SharedConnectionTest, IsOpenedByEveryoneWhoSawThatThereIsNone) {
  constexpr int kThreads = 3;
  GatheringDriver gathering(*driver_, kThreads);
  StaticConnection shared(gathering, StaticConnection::Closing::keep_the_closed);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&] { shared.open(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.opened(), kThreads);
  EXPECT_EQ(shared.opened_beside_another(), kThreads - 1);
}

TEST_F(SharedConnectionTest, IsClosedUnderUseAndHandedOutClosed) {
  StaticConnection shared(*driver_, StaticConnection::Closing::keep_the_closed);
  const auto in_use = shared.open();
  in_use->begin();
  in_use->execute(kInsert, 1);
  shared.close();
  const auto says_closed = [](const auto& call) {
    try {
      call();
      return false;
    } catch (const Error& error) {
      return error.code() == "lab.connection_closed";
    }
  };
  EXPECT_TRUE(says_closed([&] { in_use->commit(); }));
  EXPECT_EQ(rows(), 0);
  EXPECT_TRUE(says_closed([&] { shared.open()->begin(); }));
}

TEST_F(SharedConnectionTest, IsOpenedAgainOnceTheClosedOneIsForgotten) {
  StaticConnection shared(*driver_, StaticConnection::Closing::forget_the_closed);
  shared.open();
  shared.close();
  EXPECT_TRUE(shared.open()->is_open());
  EXPECT_EQ(shared.opened(), 2);
  EXPECT_EQ(shared.opened_beside_another(), 0);
}

TEST_F(SharedConnectionTest, RollbackOfOneTakesTheRowsOfAnother) {
  SharedConnection shared(driver_->connect({}));
  shared.begin();
  shared.execute(kInsert, 1);  // one request
  shared.begin();              // another
  shared.execute(kInsert, 2);
  shared.rollback();
  shared.commit();  // the first believes that it has committed
  EXPECT_EQ(rows(), 0);
}

TEST_F(SharedConnectionTest, CommitOfOneKeepsTheRowsThatAnotherRollsBack) {
  SharedConnection shared(driver_->connect({}));
  shared.begin();
  shared.execute(kInsert, 1);
  shared.begin();
  shared.execute(kInsert, 2);
  shared.commit();
  shared.rollback();
  EXPECT_EQ(rows(), 2);
}

TEST_F(SharedConnectionTest, PlainPoolOfConnectionsLendsTheOneThatHasIdledLongest) {
  PlainConnections pool(*driver_, 2);
  const Connection* const first = &*pool.borrow();
  const Connection* const second = &*pool.borrow();
  EXPECT_NE(first, second);
  EXPECT_EQ(&*pool.borrow(), first);
}

TEST_F(SharedConnectionTest, PlainPoolOfConnectionsRollsBackWhatComesBackOpen) {
  PlainConnections pool(*driver_, 1);
  {
    const auto connection = pool.borrow();
    connection->begin({});
    connection->execute(kInsert, std::array{Value(1)});
  }
  EXPECT_FALSE(pool.borrow()->in_transaction());
  EXPECT_EQ(rows(), 0);
}

}  // namespace
}  // namespace carrel::lab
