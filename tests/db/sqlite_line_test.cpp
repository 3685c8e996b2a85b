// The line for a file's one writer, on a real file.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "carrel/drivers/sqlite.h"
#include "db/pool_verbs.h"
#include "db/temporary_folder.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

class SqliteLine : public testing::Test {
 protected:
  SqliteLine() { pool_.borrow()->execute("create table t (writer integer)"); }

  // Returns once it waits, or has given up.
  void join_line(int writer, Clock::Steady deadline = kNoDeadline) {
    const auto before = pool_.stats().waiting;
    writers_.emplace_back([this, writer, deadline] {
      codes_.at(static_cast<std::size_t>(writer)) = code_of([&] {
        auto lease = pool_.borrow({.deadline = deadline});
        lease->begin({});
        lease->execute("insert into t values ($1)", std::array{Value(writer)});
        lease->commit();
      });
    });
    if (deadline == kNoDeadline) return wait_until_waiting(pool_, before + 1);
    while (pool_.stats().timeouts == 0) std::this_thread::yield();
  }
  std::vector<int> order() {
    for (auto& writer : writers_) writer.join();
    std::vector<int> order;
    const auto rows =
        pool_.borrow({.access = Access::read_only})->execute("select writer from t order by rowid");
    for (const Row row : rows) order.push_back(row.get<int>(0));
    return order;
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<Driver> driver_ =
      sqlite_driver({.file = folder_ / "a.db", .synchronous = SqliteSync::off, .readers = 2});
  Pool pool_{options(0), *driver_};
  std::vector<std::thread> writers_;
  std::array<std::string, 4> codes_;
};

TEST_F(SqliteLine, ServesWritersInTheOrderOfTheirArrival) {
  auto writing = pool_.borrow();
  writing->begin({});
  writing->execute("insert into t values (9)");
  for (const int writer : {2, 0, 3, 1}) join_line(writer);
  EXPECT_TRUE(pool_.borrow({.access = Access::read_only})->execute("select * from t").empty());
  writing->commit();
  writing.release();
  EXPECT_EQ(order(), (std::vector<int>{9, 2, 0, 3, 1}));
}

TEST_F(SqliteLine, AWriterThatGivesUpLeavesTheOthersInOrder) {
  auto writing = pool_.borrow();
  writing->begin({});
  join_line(0);
  join_line(1, soon(20ms));
  join_line(2);
  writing->rollback();
  writing.release();
  EXPECT_EQ(order(), (std::vector<int>{0, 2}));
  EXPECT_EQ(codes_[1], "pool.timeout");
  EXPECT_EQ(pool_.stats().waiting, 0U);
}

}  // namespace
}  // namespace carrel::test
