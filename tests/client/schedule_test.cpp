#include "client/schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace carrel::client {
namespace {

std::string open(std::string_view account) {
  return fmt::format(R"({{"op":"open","book":"consumer","account":"{}","currency":"CNY"}})",
                     account);
}

std::string pay(std::string_view key, std::string_view from, std::string_view to,
                std::string_view more = "") {
  return fmt::format(
      R"({{"op":"pay","book":"consumer","key":"{}","from":"{}","to":"{}","amount":"1","currency":"CNY"{}}})",
      key, from, to, more);
}

std::string refund(std::string_view key, std::string_view original) {
  return fmt::format(
      R"({{"op":"refund","book":"consumer","key":"{}","original":"{}","from":"b/2","to":"a/1","amount":"1","currency":"CNY"}})",
      key, original);
}

// A schedule over the given lines; operations are spoken of by their line.
class ScheduleTest : public testing::Test {
 protected:
  Schedule& given(std::initializer_list<std::string> lines, Schedule::Window window = {}) {
    for (const std::string& line : lines) text_ << line << '\n';
    reader_.emplace(text_, OnMalformed::stop);
    return schedule_.emplace(*reader_, window);
  }

  // Lines of all operations that may be sent now.
  std::vector<std::uint64_t> sendable() {
    std::vector<std::uint64_t> lines;
    while (const Operation* operation = schedule_->next()) {
      sent_[operation->line] = operation;
      lines.push_back(operation->line);
    }
    return lines;
  }

  void answer(std::uint64_t line) { schedule_->complete(*sent_.at(line)); }

  using Lines = std::vector<std::uint64_t>;

 private:
  std::stringstream text_;
  std::optional<OperationReader> reader_;
  std::optional<Schedule> schedule_;
  std::map<std::uint64_t, const Operation*> sent_;
};

TEST_F(ScheduleTest, WaitsForTheOpensOfTheAccountsItNames) {
  Schedule& schedule = given({open("a/1"), open("b/2"), pay("k", "a/1", "b/2")});
  EXPECT_EQ(sendable(), (Lines{1, 2}));
  answer(2);
  EXPECT_EQ(sendable(), Lines{});
  answer(1);
  EXPECT_EQ(sendable(), Lines{3});
  EXPECT_FALSE(schedule.finished());
  answer(3);
  EXPECT_TRUE(schedule.finished());
}

TEST_F(ScheduleTest, ParkedOperationBlocksNoOther) {
  given({open("a/1"), pay("k1", "a/1", "x/2"), pay("k2", "y/1", "x/2")});
  EXPECT_EQ(sendable(), (Lines{1, 3}));
}

TEST_F(ScheduleTest, RefundWaitsForItsOriginal) {
  given({pay("k1", "a/1", "b/2"), refund("k2", "k1")});
  EXPECT_EQ(sendable(), Lines{1});
  answer(1);
  EXPECT_EQ(sendable(), Lines{2});
}

TEST_F(ScheduleTest, WaitsForTheKeysInAfter) {
  given({pay("k1", "a/1", "b/2"), pay("k2", "c/1", "d/2"),
         pay("k3", "e/1", "f/2", R"(,"after":["k1","k2"])")});
  EXPECT_EQ(sendable(), (Lines{1, 2}));
  answer(1);
  EXPECT_EQ(sendable(), Lines{});
  answer(2);
  EXPECT_EQ(sendable(), Lines{3});
}

TEST_F(ScheduleTest, RepeatedKeysGoOneAfterAnother) {
  given({pay("k1", "a/1", "b/2"), pay("k1", "a/1", "b/2"), pay("k1", "a/1", "b/2"),
         refund("k2", "k1")});
  EXPECT_EQ(sendable(), Lines{1});
  answer(1);
  EXPECT_EQ(sendable(), Lines{2});
  answer(2);
  EXPECT_EQ(sendable(), Lines{3});
  answer(3);
  EXPECT_EQ(sendable(), Lines{4});
}

TEST_F(ScheduleTest, SameKeyInTheOtherBookIsAnotherKey) {
  given(
      {pay("k1", "a/1", "b/2"),
       R"({"op":"pay","book":"merchant","key":"k1","from":"a/1","to":"b/2","amount":"1","currency":"CNY"})"});
  EXPECT_EQ(sendable(), (Lines{1, 2}));
}

TEST_F(ScheduleTest, WhatIsNotPendingIsNotWaitedFor) {
  given({refund("k2", "from-another-file")});
  EXPECT_EQ(sendable(), Lines{1});
}

TEST_F(ScheduleTest, ReadsNoFartherThanItsWindow) {
  Schedule& schedule =
      given({open("a/1"), pay("k1", "a/1", "b/2"), pay("k2", "x/1", "b/2")}, {.unanswered_max = 2});
  EXPECT_EQ(sendable(), Lines{1});
  EXPECT_EQ(schedule.unanswered(), 2u);
  answer(1);
  EXPECT_EQ(sendable(), (Lines{2, 3}));
}

TEST_F(ScheduleTest, TellsTheFirstLineWithoutAnAnswer) {
  Schedule& schedule = given({open("a/1"), open("b/2"), open("c/3")});
  EXPECT_EQ(sendable(), (Lines{1, 2, 3}));
  answer(1);
  answer(3);
  EXPECT_EQ(schedule.first_unanswered_line(), 2u);
  answer(2);
  EXPECT_EQ(schedule.first_unanswered_line(), std::nullopt);
}

TEST_F(ScheduleTest, StopsAtAMalformedLine) {
  Schedule& schedule = given({open("a/1"), "{", open("b/2")});
  EXPECT_EQ(sendable(), Lines{1});
  answer(1);
  EXPECT_TRUE(schedule.finished());
}

}  // namespace
}  // namespace carrel::client
