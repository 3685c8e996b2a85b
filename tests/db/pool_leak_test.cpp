// What a leak report tells of the borrower.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "db/pool_verbs.h"
#include "db/slot.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

class PoolLeak : public testing::Test {
 protected:
  Pool make(std::size_t frames) {
    auto watched = options(1);
    watched.clock = &clock_;
    watched.leak_after = 2s;
    watched.leak_frames = frames;
    watched.on_leak = [this](const LeakReport& report) { reports_.push_back(report); };
    return Pool(watched, driver_);
  }

  StubDriver driver_;
  ManualClock clock_;
  std::vector<LeakReport> reports_;
};

TEST_F(PoolLeak, SaysWhetherTheBorrowerRunsSqlOrHoldsForNothing) {
  Pool pool = make(0);
  auto lease = pool.borrow();
  lease->execute("one");
  lease->execute("two");
  clock_.advance(3s);
  pool.maintain();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].calls, 2U);
  EXPECT_FALSE(reports_[0].in_call);
  EXPECT_TRUE(reports_[0].stack.empty());
  lease.release();
  ASSERT_EQ(reports_.size(), 2U);
  EXPECT_TRUE(reports_[1].returned);

  lease = pool.borrow();
  driver_.at(StubPoint::execute, [&] {
    clock_.advance(3s);
    std::thread([&] { pool.maintain(); }).join();  // while the statement runs
  });
  lease->execute("three");
  ASSERT_EQ(reports_.size(), 3U);
  EXPECT_EQ(reports_[2].calls, 1U);
  EXPECT_TRUE(reports_[2].in_call);
}

TEST_F(PoolLeak, ShowsTheStackOfTheBorrowWhereAskedTo) {
  Pool pool = make(100);  // 24 at most
  const auto lease = pool.borrow();
  clock_.advance(3s);
  pool.maintain();
  ASSERT_EQ(reports_.size(), 1U);
  const auto& stack = reports_[0].stack;
  EXPECT_GE(stack.size(), 3U);
  EXPECT_LE(stack.size(), 24U);
  // The test is linked with -rdynamic, so that frames have names.
  EXPECT_TRUE(std::ranges::any_of(stack, [](const std::string& frame) {
    return frame.find("testing::Test::Run") != std::string::npos;
  })) << stack.front();
  EXPECT_EQ(stack.front().find("note_borrowed"), std::string::npos);  // no place of the borrower's
}

Pool::Lease borrow_below(int calls, Pool& pool) {
  if (calls == 0) return pool.borrow();
  auto lease = borrow_below(calls - 1, pool);
  lease->set_deadline(kNoDeadline);  // so that each call stays one
  return lease;
}

TEST_F(PoolLeak, KeepsTwentyFourFramesHoweverDeepTheBorrowIsAndManyAreAskedFor) {
  Pool pool = make(1'000);
  const auto lease = borrow_below(200, pool);
  clock_.advance(3s);
  pool.maintain();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].stack.size(), 24U);
}

TEST(CallStack, HasTheInnermostFramesWhereTheBorrowersIsNotAmongThem) {
  db::CallStack stack;
  stack.take(3, nullptr);
  EXPECT_EQ(stack.names().size(), 3U);
}

TEST_F(PoolLeak, ALimitOfFramesHolds) {
  Pool pool = make(2);
  const auto lease = pool.borrow();
  clock_.advance(3s);
  pool.maintain();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].stack.size(), 2U);
}

TEST_F(PoolLeak, NothingIsAskedKeptOrReportedWhenOff) {
  auto unwatched = options(1);
  unwatched.clock = &clock_;
  unwatched.idle_max = 0ms;
  unwatched.life_max = 0ms;
  unwatched.leak_after = 0ms;
  unwatched.leak_frames = 24;
  unwatched.on_leak = [this](const LeakReport& report) { reports_.push_back(report); };
  int asked = 0;
  unwatched.label = [&asked] {
    ++asked;
    return std::string_view("a task");
  };
  Pool pool(unwatched, driver_);
  auto lease = pool.borrow();
  lease->execute("one");
  clock_.advance(24h);
  pool.maintain();
  lease.release();
  pool.maintain();
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(pool.stats().leaks, 0U);
  EXPECT_TRUE(reports_.empty());
}

TEST_F(PoolLeak, ABorrowersNameIsKeptUpToFortyEightBytes) {
  const std::string name(60, 'n');
  auto watched = options(1);
  watched.clock = &clock_;
  watched.leak_after = 2s;
  watched.on_leak = [this](const LeakReport& report) { reports_.push_back(report); };
  watched.label = [&name] { return std::string_view(name); };
  Pool pool(watched, driver_);
  const auto lease = pool.borrow();
  clock_.advance(3s);
  pool.maintain();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].borrower, name.substr(0, 48));
}

}  // namespace
}  // namespace carrel::test
