#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/fsuid.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/code_of.h"
#include "base/in_time.h"
#include "carrel/db/pool.h"
#include "carrel/db/sql_error.h"
#include "carrel/drivers/sqlite.h"
#include "db/temporary_folder.h"

namespace carrel {
namespace {

using test::TemporaryFolder;

std::string refusal(const SqliteOptions& options) {
  try {
    const auto driver = sqlite_driver(options);
  } catch (const SqlError& error) {
    EXPECT_NE(std::string_view(error.what()).find(options.file.filename().string()),
              std::string_view::npos)
        << error.what();
    return std::string(error.code());
  }
  return {};
}

// The root user may do anything; for the extent of this object it may not.
class AsNobody {
 public:
  AsNobody() : before_(::setfsuid(65534)) {}
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() { ::setfsuid(static_cast<uid_t>(before_)); }

 private:
  int before_;
};

TEST(SqliteFile, IsMadeWhereThereIsNone) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal({.file = folder / "new.db"}), "");
  EXPECT_TRUE(std::filesystem::exists(folder / "new.db"));
}

TEST(SqliteFile, NeedsItsDirectory) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal({.file = folder / "missing" / "a.db"}), "sql.no_directory");
  EXPECT_EQ(refusal({.file = folder.path()}), "sql.not_a_database");
}

TEST(SqliteFile, ThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const TemporaryFolder folder;
  const std::string text(5'000, 'x');
  std::ofstream(folder / "notes.txt") << text;

  EXPECT_EQ(refusal({.file = folder / "notes.txt"}), "sql.not_a_database");
  EXPECT_EQ(std::filesystem::file_size(folder / "notes.txt"), text.size());
}

TEST(SqliteFile, ThatMayNotBeWrittenIsRefused) {
  const TemporaryFolder folder;
  const auto file = folder / "locked.db";
  {
    const auto driver = sqlite_driver({.file = file});
  }
  using std::filesystem::perms;
  std::filesystem::permissions(file, perms::owner_read | perms::group_read | perms::others_read);
  std::filesystem::permissions(folder / "locked.db.lock", perms::all);
  std::filesystem::permissions(folder.path(), perms::all);
  const AsNobody nobody;
  EXPECT_EQ(refusal({.file = file}), "sql.read_only");
}

TEST(SqliteFile, ThatMayNotBeReadIsRefused) {
  const TemporaryFolder folder;
  const auto file = folder / "secret.db";
  {
    const auto driver = sqlite_driver({.file = file});
  }
  using std::filesystem::perms;
  std::filesystem::permissions(file, perms::owner_read | perms::owner_write);
  std::filesystem::permissions(folder / "secret.db.lock", perms::all);
  std::filesystem::permissions(folder.path(), perms::all);
  const AsNobody nobody;
  EXPECT_EQ(refusal({.file = file}), "sql.access_denied");
}

TEST(SqliteFile, InAFolderThatMayNotBeWrittenIsRefused) {
  const TemporaryFolder folder;
  std::filesystem::permissions(
      folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                         std::filesystem::perms::others_read | std::filesystem::perms::others_exec);
  {
    const AsNobody nobody;
    EXPECT_EQ(refusal({.file = folder / "a.db"}), "sql.access_denied");
  }
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
}

TEST(SqliteFile, ServesOneDriverAtATime) {
  const TemporaryFolder folder;
  {
    const auto driver = sqlite_driver({.file = folder / "a.db"});
    EXPECT_EQ(refusal({.file = folder / "a.db"}), "sql.in_use");
  }
  EXPECT_EQ(refusal({.file = folder / "a.db"}), "");
}

TEST(SqliteFile, ServesOneDriverAtATimeByWhateverLinkItComes) {
  const TemporaryFolder folder;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  std::filesystem::create_directory(folder / "elsewhere");
  std::filesystem::create_symlink(folder / "a.db", folder / "elsewhere" / "b.db");
  EXPECT_EQ(refusal({.file = folder / "elsewhere" / "b.db"}), "sql.in_use");
}

TEST(SqliteFile, RefusesASecondProcessAndNamesTheFirst) {
  const TemporaryFolder folder;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  const auto owner = "process " + std::to_string(::getpid());
  const pid_t child = ::fork();
  if (child == 0) {
    // A child shares its parent's open lock file, but a new opening is a lock of its own.
    try {
      const auto second = sqlite_driver({.file = folder / "a.db"});
      ::_exit(1);
    } catch (const SqlError& error) {
      const bool named = std::string_view(error.what()).find(owner) != std::string_view::npos;
      ::_exit(error.code() == "sql.in_use" && named ? 0 : 2);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(SqliteFile, HasOneWriterAndSaysSo) {
  const TemporaryFolder folder;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  auto writer = driver->connect({});
  EXPECT_THROW(static_cast<void>(driver->connect({})), SqlError);
  writer.reset();
  EXPECT_NE(driver->connect({}), nullptr);
}

TEST(SqliteFile, ReadersCannotWrite) {
  const TemporaryFolder folder;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  const auto writer = driver->connect({});
  writer->execute("create table t (id integer)");
  const auto reader = driver->connect({.access = Access::read_only});
  try {
    reader->execute("insert into t values (1)");
    FAIL() << "a reader wrote";
  } catch (const SqlError& error) {
    EXPECT_EQ(error.code(), "sql.read_only");
  }
  reader->execute("pragma query_only = off");  // not even who means to
  EXPECT_EQ(code_of([&] { reader->execute("insert into t values (1)"); }), "sql.read_only");
}

TEST(SqliteFile, AWriterThatCouldNotBeOpenedIsNone) {
  const TemporaryFolder folder;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  driver->connect({}).reset();
  std::filesystem::rename(folder / "a.db", folder / "aside.db");
  std::filesystem::create_directory(folder / "a.db");
  EXPECT_EQ(code_of([&] { static_cast<void>(driver->connect({})); }), "sql.io");
  std::filesystem::remove(folder / "a.db");
  std::filesystem::rename(folder / "aside.db", folder / "a.db");
  EXPECT_NE(driver->connect({}), nullptr);
}

TEST(SqliteFile, WhoseSchemaIsDamagedIsRefusedAtTheStart) {
  const TemporaryFolder folder;
  {
    const auto driver = sqlite_driver({.file = folder / "a.db"});
    driver->connect({})->execute("create table t (id integer)");
  }
  std::fstream file(folder / "a.db", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);  // where the header ends and the schema begins
  file << std::string(500, 'x');
  file.close();
  EXPECT_EQ(refusal({.file = folder / "a.db"}), "sql.corrupt");
}

TEST(SqliteFile, KeepsForeignKeysAndTellsThemAtCommit) {
  const TemporaryFolder folder;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  const auto writer = driver->connect({});
  writer->execute("create table parent (id integer primary key)");
  writer->execute(
      "create table child (id integer references parent deferrable initially deferred)");
  writer->begin({});
  writer->execute("insert into child values (7)");
  try {
    writer->commit();
    FAIL() << "a child without a parent was committed";
  } catch (const SqlError& error) {
    EXPECT_EQ(error.code(), "sql.foreign_key_violation");
    EXPECT_FALSE(error.in_doubt());
  }
  EXPECT_FALSE(writer->in_transaction());
  EXPECT_EQ(writer->execute("select count(*) from child").one().get<int>(0), 0);
}

TEST(SqliteFile, TellsAFullDiskAndLosesNothing) {
  const TemporaryFolder folder;
  const auto driver = sqlite_driver({.file = folder / "a.db"});
  const auto writer = driver->connect({});
  writer->execute("create table t (id integer primary key, filler blob)");
  writer->execute("insert into t values (1, 'kept')");
  writer->execute("pragma max_page_count = 4");  // as if the disk held no more
  writer->begin({});
  std::string code;
  try {
    for (int i = 2; i < 100; ++i)
      writer->execute("insert into t values ($1, zeroblob(4000))", std::array{Value(i)});
  } catch (const SqlError& error) {
    code = error.code();
  }
  EXPECT_EQ(code, "sql.disk_full");
  writer->rollback();
  EXPECT_FALSE(writer->in_transaction());
  EXPECT_EQ(writer->execute("select count(*) from t").one().get<int>(0), 1);
}

TEST(SqliteFile, WritersOfOnePoolStandInLineAndNoneIsBusy) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  const TemporaryFolder folder;
  const auto driver =
      sqlite_driver({.file = folder / "a.db", .synchronous = SqliteSync::off, .readers = 2});
  Pool pool({.name = "a", .acquire_max = std::chrono::seconds(60)}, *driver);
  pool.borrow()->execute("create table t (n integer)");
  pool.borrow()->execute("insert into t values (0)");
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        auto lease = pool.borrow();
        lease->begin({});
        const auto n = lease->execute("select n from t").one().get<int>(0);
        lease->execute("update t set n = $1", std::array{Value(n + 1)});
        lease->commit();
        lease.release();
        const auto seen =
            pool.borrow({.access = Access::read_only})->execute("select n from t").one();
        ASSERT_GT(seen.get<int>(0), n);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pool.borrow()->execute("select n from t").one().get<int>(0), kThreads * kEach);
}

TEST(SqliteFile, LeavesNoLogBehindWhenItIsClosed) {
  const TemporaryFolder folder;
  {
    const auto driver = sqlite_driver({.file = folder / "a.db"});
    Pool pool({.name = "a"}, *driver);
    pool.borrow()->execute("create table t (n integer)");
    pool.borrow({.access = Access::read_only})->execute("select * from t");
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a.db-wal"));
}

// Somebody outside who holds the write lock: another program, or one that recovers.
class SqliteLocked : public testing::Test {
 protected:
  SqliteLocked() {
    connection_->execute("create table item (id integer primary key)");
    EXPECT_EQ(sqlite3_open((folder_ / "a.db").c_str(), &other_), SQLITE_OK);
    tell("begin immediate");
  }
  ~SqliteLocked() override { sqlite3_close(other_); }

  void tell(const char* sql) {
    EXPECT_EQ(sqlite3_exec(other_, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<Driver> driver_ =
      sqlite_driver({.file = folder_ / "a.db", .busy_max = std::chrono::hours(1)});
  const std::unique_ptr<Connection> connection_ = driver_->connect({});
  sqlite3* other_ = nullptr;
};

TEST_F(SqliteLocked, IsWaitedForUntilTheDeadline) {
  connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(30));
  test::in_time([&] {
    EXPECT_EQ(code_of([&] { connection_->begin({}); }), "sql.deadline");
    EXPECT_FALSE(connection_->in_transaction());
  });
  connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(30));
  test::in_time([&] {
    EXPECT_EQ(code_of([&] { connection_->execute("insert into item values (1)"); }),
              "sql.deadline");
  });
}

TEST_F(SqliteLocked, IsWaitedForUntilSomebodyCancels) {
  std::atomic<bool> ended = false;
  std::thread canceller([&] {
    while (!ended) connection_->cancel();
  });
  test::in_time([&] { EXPECT_EQ(code_of([&] { connection_->begin({}); }), "sql.cancelled"); });
  ended = true;
  canceller.join();
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(SqliteLocked, IsTakenOnceItIsFree) {
  std::atomic<bool> begun = false;
  std::thread waiter([&] {
    begun = true;
    connection_->begin({});
    connection_->execute("insert into item values (1)");
    connection_->commit();
  });
  while (!begun) std::this_thread::yield();
  tell("commit");
  waiter.join();
  EXPECT_EQ(connection_->execute("select id from item").size(), 1U);
}

TEST(SqliteFile, ALockThatOutlastsTheLongestWaitIsBusy) {
  const TemporaryFolder folder;
  const auto driver =
      sqlite_driver({.file = folder / "a.db", .busy_max = std::chrono::milliseconds(5)});
  const auto connection = driver->connect({});
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "a.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "begin immediate", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(code_of([&] { connection->begin({}); }), "sql.busy");
  sqlite3_close(other);
}

}  // namespace
}  // namespace carrel
