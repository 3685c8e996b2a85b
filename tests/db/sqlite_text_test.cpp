// What becomes of a statement's text on its way to SQLite: placeholders, sizes, and the deadline.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "base/in_time.h"
#include "carrel/drivers/sqlite.h"
#include "db/temporary_folder.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

constexpr int kMost = 65'535;  // parameters that a statement takes

class SqliteText : public testing::Test {
 protected:
  std::string code_of(std::string_view sql, std::span<const Value> values = {}) {
    return thrown_by([&] { connection_->execute(sql, values); });
  }

  TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_ =
      sqlite_driver({.file = folder_ / "a.db", .synchronous = SqliteSync::off});
  std::unique_ptr<Connection> connection_ = driver_->connect({});
};

// Each text took half a minute and more when SQLite looked for every name among all of them.
TEST_F(SqliteText, ReadsTheMostPlaceholdersInTimeWhateverTheirOrder) {
  connection_->execute("create table n (i integer primary key)");
  std::vector<Value> values;
  std::string rising;
  std::string falling;
  connection_->begin({});
  for (int i = 1; i <= kMost; ++i) {
    const std::string comma = i == 1 ? "" : ", ";
    rising += comma + "$" + std::to_string(i);
    falling += comma + "$" + std::to_string(kMost + 1 - i);
    values.emplace_back(i);
    connection_->execute("insert into n values ($1)", std::span(&values.back(), 1));
  }
  connection_->commit();
  const auto found = [&](const std::string& condition) {
    return connection_->execute("select count(*) from n where " + condition, values)
        .one()
        .get<int>(0);
  };
  in_time([&] {
    EXPECT_EQ(found("i in (" + rising + ")"), kMost);
    EXPECT_EQ(found("i in (" + falling + ")"), kMost);
    EXPECT_EQ(found("i in (" + rising + ") and i in (" + falling + ")"), kMost);
    EXPECT_EQ(found("i in (" + falling + ") and i in (" + rising + ")"), kMost);
    EXPECT_EQ(found("i = $60000 or i = $300 or i in (" + rising + ") and i < $300"), 301);
  });
}

// Otherwise SQLite would not find the term of the order among the columns.
TEST_F(SqliteText, APlaceholderThatIsUsedAgainIsKnownAsTheSame) {
  const auto ordered =
      connection_->execute("select 30 / $2 + $1 union select 7 / $2 + $1 order by 30 / $2 + $1",
                           std::array{Value(100), Value(2)});
  ASSERT_EQ(ordered.size(), 2U);
  EXPECT_EQ(ordered[0].get<int>(0), 103);
  EXPECT_EQ(ordered[1].get<int>(0), 115);
}

TEST_F(SqliteText, RefusesPlaceholdersOfOtherKinds) {
  const std::array<Value, 1> one{Value(1)};
  for (const auto* sql : {"select ?", "select ?1", "select $1 + ?1", "select :a", "select $1 + @a",
                          "select :a, $1, $1", "select @a, $1, $1", "select $a",
                          "select $a, $1, $1", "select $1st", "select $0", "select $1 + $0"}) {
    EXPECT_EQ(code_of(sql, one), "sql.syntax") << sql;
  }
  EXPECT_EQ(
      connection_->execute("select '? :a $2' || $1 -- ? @a $3", one).one().get<std::string>(0),
      "? :a $21");
}

TEST_F(SqliteText, CountsUpToTheHighestNumber) {
  const std::array values{Value(1), Value(2), Value(3)};
  EXPECT_EQ(connection_->execute("select $3 - $1", values).one().get<int>(0), 2);
  EXPECT_EQ(code_of("select $3 - $1", std::span(values).first(2)), "sql.parameter_count");
}

// Only its first page can be read: whoever looks at more of it ends the test.
TEST_F(SqliteText, RefusesATextThatSqliteCannotCountBeforeAnythingReadsIt) {
  constexpr std::size_t kExtent = std::size_t{5} << 30;
  constexpr std::size_t kPage = 4'096;
  void* const memory =
      ::mmap(nullptr, kExtent, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(::mprotect(memory, kPage, PROT_READ | PROT_WRITE), 0);
  auto* const text = static_cast<char*>(memory);
  std::memset(text, ' ', kPage);
  std::memcpy(text, "select 1", 8);
  for (const auto size : {std::size_t{1'000'000'001}, (std::size_t{1} << 31) + 8,
                          (std::size_t{1} << 32) - 1, (std::size_t{1} << 32) + 8}) {
    EXPECT_EQ(code_of(std::string_view(text, size)), "sql.too_big") << size;
  }
  EXPECT_EQ(code_of(std::string_view(text, 8)), "nothing");
  EXPECT_EQ(::munmap(memory, kExtent), 0);
}

// Nothing can end SQLite's compiling; what comes after it must not begin.
TEST_F(SqliteText, NothingRunsWhoseCompilingOutlastedTheDeadline) {
  connection_->execute("create table t (id integer)");
  const std::string sql = "insert into t values (1) -- " + std::string(std::size_t{32} << 20, 'x');
  connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(2));
  EXPECT_EQ(code_of(sql), "sql.deadline, retryable");
  connection_->set_deadline(kNoDeadline);
  EXPECT_EQ(connection_->execute("select count(*) from t").one().get<int>(0), 0);
  EXPECT_EQ(code_of(sql), "nothing");
  EXPECT_EQ(connection_->execute("select count(*) from t").one().get<int>(0), 1);
}

}  // namespace
}  // namespace carrel::test
