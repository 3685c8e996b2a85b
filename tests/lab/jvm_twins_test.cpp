// The Java twins themselves, on a real JVM.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "lab/cost.h"
#include "lab/keys.h"
#include "lab/leak.h"
#include "lab/mixup.h"
#include "lab/report_text.h"
#include "lab/shared.h"

namespace carrel::lab {
namespace {

const std::filesystem::path kTwins = CARREL_TEST_JVM_TWINS;  // set by CMakeLists.txt

// The number in a row of a report's first table.
double number_at(const Report& report, std::size_t row, std::size_t column) {
  return std::get<double>(report.tables.at(0).rows.at(row).at(column));
}

TEST(JvmTwinOf, SharedReads115AsWell) {
  const Report report = run_shared({}, {.jvm_twins = kTwins});
  for (const auto& row : report.tables.at(0).rows) {
    EXPECT_EQ(std::get<double>(row.at(4)), 115);
    EXPECT_EQ(std::get<double>(row.at(5)),
              100 + static_cast<double>(std::get<std::int64_t>(row.at(1))));
  }
  EXPECT_EQ(report.charts.at(0).series.size(), 4u);
}

TEST(JvmTwinOf, LeakHoldsABlockAThread) {
  const Report report =
      run_leak({.rounds = 4, .pace = std::chrono::milliseconds(0)}, {.jvm_twins = kTwins});
  EXPECT_LT(number_at(report, 1, 4), 1) << to_text(report);
  EXPECT_GT(number_at(report, 3, 4), 20) << to_text(report);
  EXPECT_EQ(report.charts.at(0).series.size(), 8u + 3u);
}

TEST(JvmTwinOf, MixupMixesUpUntilFinallyRemovesTheMarker) {
  const Report report = run_mixup({.requests = 2000}, {.jvm_twins = kTwins});
  EXPECT_GT(number_at(report, 0, 7), 0) << to_text(report);
  EXPECT_EQ(number_at(report, 2, 7), 0) << to_text(report);
}

TEST(JvmTwinOf, KeysHoldsDeadVariablesValuesUntilTheyAreTouched) {
  const Report report = run_keys({}, {.jvm_twins = kTwins});
  for (const std::size_t row : {0u, 1u, 2u})
    EXPECT_EQ(number_at(report, row, 3), number_at(report, 0, 1)) << to_text(report);
  EXPECT_GE(number_at(report, 0, 4), number_at(report, 0, 1)) << "strong keys";
  EXPECT_EQ(number_at(report, 1, 4), number_at(report, 0, 1)) << "weak keys, untouched";
  EXPECT_LT(number_at(report, 2, 4), number_at(report, 0, 1)) << "weak keys, touched again";
  EXPECT_EQ(std::get<std::string>(report.tables.at(0).rows.at(3).at(3)), "-") << "carrel's own row";
}

TEST(JvmTwinOf, CostTakesTimesUpToTheMostThreads) {
  const Report report = run_cost(
      {.threads_max = 2, .contest = {.rounds = 1, .round_time = std::chrono::microseconds(100)}},
      {.jvm_twins = kTwins});
  for (const std::size_t row : {0u, 1u})
    for (const std::size_t column : {6u, 7u}) EXPECT_GT(number_at(report, row, column), 0);
  EXPECT_EQ(report.charts.at(0).series.size(), 5u + 4u);
}

}  // namespace
}  // namespace carrel::lab
