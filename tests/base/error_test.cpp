#include "carrel/base/error.h"

#include <gtest/gtest.h>

#include "carrel/base/assert.h"

namespace carrel {
namespace {

TEST(Error, CarriesCodeTraitsAndPlace) {
  const Error error("pool.timeout", "waited 2 s for a connection", {.retryable = true});

  EXPECT_EQ(error.code(), "pool.timeout");
  EXPECT_STREQ(error.what(), "waited 2 s for a connection");
  EXPECT_TRUE(error.retryable());
  EXPECT_FALSE(error.in_doubt());
  EXPECT_NE(std::string_view(error.where().file_name()).find("error_test.cpp"),
            std::string_view::npos);
}

TEST(Error, DescribesItselfInOneLine) {
  const Error error("sql.syntax", "near \"selct\"");
  EXPECT_EQ(error.describe().rfind("sql.syntax: near \"selct\" (", 0), 0U);
}

TEST(AssertDeathTest, StopsTheProgramWithConditionAndMessage) {
  const int borrowed = 1;
  EXPECT_DEATH(CARREL_ASSERT(borrowed == 0, std::string("still borrowed: ") + "a connection"),
               "borrowed == 0(.|\n)*still borrowed: a connection");
}

TEST(Assert, LeavesTheMessageAloneWhileTheConditionHolds) {
  int built = 0;
  const auto message = [&] { return ++built, "never shown"; };
  CARREL_ASSERT(built == 0, message());
  EXPECT_EQ(built, 0);
}

}  // namespace
}  // namespace carrel
