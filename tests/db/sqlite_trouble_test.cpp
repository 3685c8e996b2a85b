// What SQLite's rarer troubles leave of a connection.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "carrel/drivers/sqlite.h"
#include "db/hooked_disk.h"
#include "db/temporary_folder.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

class SqliteTrouble : public testing::Test {
 protected:
  SqliteTrouble() { writer_->execute("create table t (id integer primary key)"); }

  std::string thrown_by_sql(const std::string& sql) {
    return thrown_by([&] { writer_->execute(sql); });
  }
  [[nodiscard]] std::uintmax_t log_size() const {
    return std::filesystem::file_size(folder_ / "a.db-wal");
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<Driver> driver_ =
      sqlite_driver({.file = folder_ / "a.db", .synchronous = SqliteSync::off});
  std::unique_ptr<Connection> writer_ = driver_->connect({});
};

// A conflict in its own right, whoever happens to cancel at that moment: nothing was waited for.
TEST_F(SqliteTrouble, AnOldSnapshotIsAConflictAlsoToWhoIsCancelled) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "a.db").c_str(), &other), SQLITE_OK);
  std::atomic<bool> ended = false;
  std::thread canceller([&] {
    while (!ended) writer_->cancel();
  });
  for (int i = 0; i < 200; ++i) {
    writer_->begin({.access = Access::read_only});
    writer_->execute("select count(*) from t");
    writer_->execute("pragma query_only = off");
    const auto overtaken = "insert into t values (" + std::to_string(i) + ")";
    ASSERT_EQ(sqlite3_exec(other, overtaken.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_EQ(thrown_by_sql("insert into t values (-1)"), "sql.serialization_failure, retryable");
    writer_->rollback();
  }
  ended = true;
  canceller.join();
  sqlite3_close(other);
}

TEST_F(SqliteTrouble, OnlyTheTransactionThatIsReadOnlyWritesNothing) {
  for (const bool commits : {true, false}) {
    writer_->begin({.access = Access::read_only});
    EXPECT_EQ(thrown_by_sql("insert into t values (1)"), "sql.read_only");
    commits ? writer_->commit() : writer_->rollback();
    EXPECT_EQ(thrown_by_sql("insert into t values (1)"), "nothing");
    EXPECT_EQ(thrown_by_sql("delete from t"), "nothing");
  }
}

// Only what runs is cancelled: neither the statement after it nor a wait for the lock.
TEST_F(SqliteTrouble, ACancelBetweenTwoCallsHitsNone) {
  writer_->cancel();
  EXPECT_EQ(thrown_by_sql("with recursive n(i) as (select 1 union all select i + 1 from n "
                          "where i < 100000) select count(*) from n"),
            "nothing");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "a.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "begin immediate", nullptr, nullptr, nullptr), SQLITE_OK);
  writer_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(20));
  writer_->cancel();
  EXPECT_EQ(thrown_by([&] { writer_->begin({}); }), "sql.deadline, retryable");
  sqlite3_close(other);
}

TEST_F(SqliteTrouble, ACancelAfterADeadlineIsACancel) {
  const std::string endless =
      "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
  writer_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(20));
  EXPECT_EQ(thrown_by_sql(endless), "sql.deadline, retryable");
  writer_->set_deadline(kNoDeadline);
  std::atomic<bool> ended = false;
  std::thread canceller([&] {
    while (!ended) writer_->cancel();
  });
  EXPECT_EQ(thrown_by_sql(endless), "sql.cancelled, retryable");
  ended = true;
  canceller.join();
}

TEST(SqliteCheckpoint, ComesOnceTheLogIsAsLongAsWasAskedFor) {
  for (const std::size_t pages : {std::size_t{10}, std::size_t{4'000}}) {
    const TemporaryFolder folder;
    const auto driver = sqlite_driver(
        {.file = folder / "a.db", .synchronous = SqliteSync::off, .checkpoint_pages = pages});
    const auto writer = driver->connect({});
    writer->execute("create table t (filler blob)");
    const auto before = std::filesystem::file_size(folder / "a.db");
    for (int i = 0; i < 20; ++i) writer->execute("insert into t values (zeroblob(400000))");
    const bool grew = std::filesystem::file_size(folder / "a.db") > before;
    EXPECT_EQ(grew, pages == 10) << pages;  // 2,000 pages were written
  }
}

TEST(SqliteDisk, WithoutAWriteAheadLogIsRefused) {
  const TemporaryFolder folder;
  HookedDisk::has_shared_memory(false);
  const HookedDisk disk;
  EXPECT_EQ(thrown_by([&] { static_cast<void>(sqlite_driver({.file = folder / "a.db"})); }),
            "sql.unsupported");
}

// Two that wrote at a time, one of them closing, would be two writers.
TEST(SqliteDisk, AWriterThatClosesIsTheOneUntilItsFileIsClosed) {
  const TemporaryFolder folder;
  const HookedDisk disk;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  auto writer = driver->connect({});
  std::string meanwhile;
  HookedDisk::at_close(
      [&] { meanwhile = thrown_by([&] { static_cast<void>(driver->connect({})); }); });
  writer.reset();
  EXPECT_EQ(meanwhile, "sql.busy");
  EXPECT_NE(driver->connect({}), nullptr);
}

// Its file is open for reading only, and so SQLite cannot lock it for that.
TEST_F(SqliteTrouble, AReaderThatClosesLastLeavesTheLogToTheWriter) {
  auto reader = driver_->connect({.access = Access::read_only});
  writer_->execute("insert into t values (1)");
  EXPECT_EQ(reader->execute("select id from t").size(), 1U);
  writer_.reset();  // no checkpoint, as there is a reader
  const auto before = log_size();
  EXPECT_GT(before, 0U);
  reader.reset();
  EXPECT_EQ(log_size(), before);
  writer_ = driver_->connect({});
  EXPECT_EQ(writer_->execute("select id from t").size(), 1U);
}

// For its extent SQLite keeps no memory in reserve and gets no more.
class NoMemory {
 public:
  NoMemory() { sqlite3_hard_heap_limit64(1); }
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
  ~NoMemory() {
    sqlite3_hard_heap_limit64(0);
    sqlite3_soft_heap_limit64(0);
  }
  // Before the first file is opened: the memory that a connection has in reserve.
  static void keep_none_in_reserve() {
    sqlite3_shutdown();
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
  }
  static void keep_some_in_reserve() {
    sqlite3_shutdown();
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 1'200, 40), SQLITE_OK);
  }
};

TEST(SqliteMemory, AConnectionWhoseRollbackFailedIsGivenUp) {
  NoMemory::keep_none_in_reserve();
  {
    const TemporaryFolder folder;
    const auto driver = sqlite_driver({.file = folder / "a.db", .synchronous = SqliteSync::off});
    auto connection = driver->connect({});
    connection->execute("create table t (id integer)");
    connection->begin({});
    connection->execute("insert into t values (1)");
    EXPECT_FALSE(connection->broken());
    {
      const NoMemory none;
      connection->rollback();
    }
    EXPECT_TRUE(connection->in_transaction());
    EXPECT_TRUE(connection->broken());
    EXPECT_FALSE(connection->validate());
    EXPECT_FALSE(connection->reset());
    connection.reset();
    connection = driver->connect({});
    EXPECT_TRUE(connection->execute("select * from t").empty());
  }
  NoMemory::keep_some_in_reserve();
}

}  // namespace
}  // namespace carrel::test
