#include "session/reading.h"

#include <gtest/gtest.h>

#include <array>

namespace carrel::session {
namespace {

using std::string_view;

TEST(Reading, IsWhatBeginsAsAQueryAndHoldsNoWordThatWrites) {
  constexpr std::array kReads = {
      "select * from t", "  SELECT 1", "-- a comment\nselect 1", "(select 1) union (select 2)",
      "with r as (select 1) select * from r", "values (1), (2)", "table t", "explain select 1",
      "show tables", "select 'delete from t'", "select \"update\" from t",
      "select 1 /* insert into t */", "select updated, into_account from t", "select f(id) from t",
      // A string function of MariaDB's.
      "select insert('abc', 1, 1, 'x')"};
  for (const string_view sql : kReads) EXPECT_TRUE(only_reads(sql, {})) << sql;
}

TEST(Reading, IsNothingElse) {
  constexpr std::array kOthers = {"insert into t values (1)",
                                  "update t set a = 1",
                                  "DELETE FROM t",
                                  "replace into t values (1)",
                                  "merge into t using s on true",
                                  "truncate t",
                                  "create table t (a int)",
                                  "drop table t",
                                  "with gone as (delete from t returning *) select * from gone",
                                  "with r as (select 1) INSERT INTO t select * from r",
                                  "with r as (select 1) replace into t select * from r",
                                  "select * into copy from t",
                                  "select * from t for update",
                                  "select * from t for Update",
                                  "explain analyze update t set a = 1",
                                  "pragma user_version = 7",
                                  "call p()",
                                  "set x = 1",
                                  "do 1",
                                  "lock table t",
                                  "vacuum",
                                  "",
                                  "-- nothing",
                                  "(((",
                                  "1"};
  for (const string_view sql : kOthers) EXPECT_FALSE(only_reads(sql, {})) << sql;
}

}  // namespace
}  // namespace carrel::session
