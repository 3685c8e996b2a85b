#include "db/sql_scanner.h"

#include <gtest/gtest.h>

namespace carrel::db {
namespace {

constexpr SqlDialect kSqlite{.bracket_names = true};
constexpr SqlDialect kPostgres{
    .dollar_quotes = true, .nested_comments = true, .escape_strings = true};
constexpr SqlDialect kMariadb{.backslash_escapes = true, .hash_comments = true};

std::vector<std::string> slots_in(std::string_view sql, const SqlDialect& dialect) {
  std::vector<std::string> slots;
  SqlScanner scanner(sql, dialect);
  while (const auto token = scanner.next()) {
    if (token->kind == TokenKind::slot) slots.emplace_back(token->text);
  }
  return slots;
}

using Slots = std::vector<std::string>;

TEST(SqlScanner, FindsSlotsWhereverATableMayStand) {
  struct Case {
    const char* sql;
    Slots expected;
  };
  const Case cases[] = {
      {"select * from {a}", {"{a}"}},
      {"select {a}.id from {a}, {b} where {a}.id={b}.id", {"{a}", "{a}", "{b}", "{a}", "{b}"}},
      {"with t as (select * from {a}) insert into {b} select * from t returning id",
       {"{a}", "{b}"}},
      {"select (select max(id) from {a}) from {b}", {"{a}", "{b}"}},
      {"insert into {a}(id) values($1) on conflict (id) do update set n={a}.n+1", {"{a}", "{a}"}},
      {"delete from{a}where id=$1", {"{a}"}},
      {"select 1", {}},
      {"", {}},
  };
  for (const auto& [sql, expected] : cases) {
    for (const auto& dialect : {kSqlite, kPostgres, kMariadb})
      EXPECT_EQ(slots_in(sql, dialect), expected) << sql;
  }
}

TEST(SqlScanner, LeavesQuotedTextAlone) {
  struct Case {
    const char* sql;
    SqlDialect dialect;
    Slots expected;
  };
  const Case cases[] = {
      {"select '{a}' from {b}", kSqlite, {"{b}"}},
      {"select 'it''s {a}' from {b}", kSqlite, {"{b}"}},
      {"select \"{a}\" from {b}", kSqlite, {"{b}"}},
      {"select `{a}` from {b}", kSqlite, {"{b}"}},
      {"select [{a}] from {b}", kSqlite, {"{b}"}},
      {"select array[1] from {b}", kPostgres, {"{b}"}},
      {"select n[{a}.id] from {b}", kPostgres, {"{a}", "{b}"}},
      {"select -- {a}\n * from {b}", kSqlite, {"{b}"}},
      {"select /* {a} */ * from {b}", kSqlite, {"{b}"}},
      {"select /*/ {a} */ * from {b}", kSqlite, {"{b}"}},
      {"select /* /* {a} */ {b} */ from {c}", kPostgres, {"{c}"}},
      {"select /* /* {a} */ from {b}", kSqlite, {"{b}"}},
      {"select $${a}$$ from {b}", kPostgres, {"{b}"}},
      {"select $t${a} $$ $t$ from {b}", kPostgres, {"{b}"}},
      {"select E'\\'{a}' from {b}", kPostgres, {"{b}"}},
      {"select E'it''s \\'{a}' from {b}", kPostgres, {"{b}"}},
      {"select e'\\' from {b}", kSqlite, {"{b}"}},  // a column, and what it is called
      {"select '\\' from {b}", kPostgres, {"{b}"}},
      {"select '\\'{a}' from {b}", kMariadb, {"{b}"}},
      {"select \"\\\"{a}\" from {b}", kMariadb, {"{b}"}},
      {"select 1 # {a}\n from {b}", kMariadb, {"{b}"}},
      {"select a#{b}", kPostgres, {"{b}"}},
      {"select '{a}", kSqlite, {}},
      {"select 1 /* {a}", kSqlite, {}},
      {"select price$1 from {b}", kPostgres, {"{b}"}},
  };
  for (const auto& [sql, dialect, expected] : cases)
    EXPECT_EQ(slots_in(sql, dialect), expected) << sql;
}

TEST(SqlScanner, GivesBackEveryByte) {
  const std::string_view texts[] = {"select 'a''b', \"c\", [d], $1, $tag$ x $tag$, 1.5e3 -- end",
                                    "/* open",
                                    "'open",
                                    "{open",
                                    "$",
                                    "\xff\xfe",
                                    "a\n\tb"};
  for (const auto text : texts) {
    std::string joined;
    SqlScanner scanner(text, kPostgres);
    while (const auto token = scanner.next()) joined += token->text;
    EXPECT_EQ(joined, text);
  }
}

TEST(StatementShape, HoldsNoLiteral) {
  struct Case {
    const char* sql;
    SqlDialect dialect;
    const char* shape;
  };
  const Case cases[] = {
      {"select * from t where name = 'alice' and n = 42", kSqlite,
       "select * from t where name = ? and n = ?"},
      {"select  1.5e3,\n 0xff -- secret", kSqlite, "select ?, ?"},
      {"select $1, t1.c2 from t1", kSqlite, "select $1, t1.c2 from t1"},
      {"select \"secret\" from t", kMariadb, "select \"?\" from t"},
      {"select 'it\\'s secret'", kMariadb, "select ?"},
      {"select $$secret$$", kPostgres, "select ?"},
  };
  for (const auto& [sql, dialect, shape] : cases) EXPECT_EQ(shape_of(sql, dialect), shape) << sql;
  EXPECT_LE(shape_of("select " + std::string(10'000, 'x'), kSqlite).size(), 403U);
}

TEST(StatementShape, TakesThePlaceOfWhatAServerQuotes) {
  EXPECT_EQ(with_shape_between("error near 'x = 'abc' and y' at line 1", " near '", "' at line",
                               kMariadb),
            "error near 'x = ? and y' at line 1");
  EXPECT_EQ(with_shape_between("error near 'x = 'abc", " near '", "' at line", kMariadb),
            "error near 'x = ?");
  EXPECT_EQ(with_shape_between("syntax error at end of input", " near \"", "\"", kPostgres),
            "syntax error at end of input");
  EXPECT_EQ(with_shape_between("say \"", "say \"", "\"", kPostgres), "say \"");
}

}  // namespace
}  // namespace carrel::db
