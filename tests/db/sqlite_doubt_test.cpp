// COMMIT on a disk that fails: the one case in which SQLite leaves a transaction in doubt.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>

#include "carrel/db/sql_error.h"
#include "carrel/drivers/sqlite.h"
#include "db/temporary_folder.h"

namespace carrel {
namespace {

std::atomic<bool> disk_fails{false};
int (*real_sync)(sqlite3_file*, int) = nullptr;
sqlite3_io_methods failing_methods;
sqlite3_vfs* real_vfs = nullptr;

int sync_or_fail(sqlite3_file* file, int flags) {
  return disk_fails ? SQLITE_IOERR_FSYNC : real_sync(file, flags);
}

// Only the write-ahead log fails: that is what COMMIT waits for. Its table of methods is copied,
// with one exchanged.
int open_failing(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
  const int result = real_vfs->xOpen(real_vfs, name, file, flags, out);
  if (result != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return result;
  failing_methods = *file->pMethods;
  real_sync = failing_methods.xSync;
  failing_methods.xSync = sync_or_fail;
  file->pMethods = &failing_methods;
  return result;
}

// For its extent every new SQLite file lies on a disk that fails when told to.
class FailingDisk {
 public:
  FailingDisk() {
    real_vfs = sqlite3_vfs_find(nullptr);
    vfs_ = *real_vfs;
    vfs_.zName = "failing";
    vfs_.xOpen = open_failing;
    sqlite3_vfs_register(&vfs_, /*makeDflt=*/1);
  }
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;
  ~FailingDisk() {
    disk_fails = false;
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_vfs, /*makeDflt=*/1);
  }

 private:
  sqlite3_vfs vfs_;
};

class SqliteDoubt : public testing::Test {
 protected:
  SqliteDoubt() { writer_->execute("create table t (id integer primary key)"); }

  // Whether COMMIT said that it is in doubt.
  bool commit_on_a_failing_disk(int id) {
    writer_->begin({});
    writer_->execute("insert into t values ($1)", std::array{Value(id)});
    disk_fails = true;
    bool in_doubt = false;
    try {
      writer_->commit();
    } catch (const SqlError& error) {
      EXPECT_EQ(error.code(), "sql.io");
      EXPECT_FALSE(error.retryable());
      in_doubt = error.in_doubt();
    }
    disk_fails = false;
    EXPECT_FALSE(writer_->in_transaction());
    return in_doubt;
  }
  static int count(Connection& connection) {
    return connection.execute("select count(*) from t").one().get<int>(0);
  }

  FailingDisk disk_;
  test::TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_ = sqlite_driver({.file = folder_ / "a.db"});
  std::unique_ptr<Connection> writer_ = driver_->connect({});
};

TEST_F(SqliteDoubt, ACommitThatTheDiskDidNotConfirmIsInDoubt) {
  EXPECT_TRUE(commit_on_a_failing_disk(1));
}

TEST_F(SqliteDoubt, TheNextSuccessfulCommitSettlesItAsRolledBack) {
  ASSERT_TRUE(commit_on_a_failing_disk(1));
  writer_->begin({});
  writer_->execute("insert into t values (2)");
  writer_->commit();
  EXPECT_EQ(count(*writer_), 1);
  writer_.reset();
  driver_.reset();
  driver_ = sqlite_driver({.file = folder_ / "a.db"});
  EXPECT_EQ(count(*driver_->connect({})), 1);
}

TEST_F(SqliteDoubt, ACrashBeforeThatLeavesAWholeDatabaseEitherWay) {
  ASSERT_TRUE(commit_on_a_failing_disk(1));
  const test::TemporaryFolder crashed;  // what a process that died now would leave
  for (const auto* name : {"a.db", "a.db-wal"})
    std::filesystem::copy_file(folder_ / name, crashed / name);

  const auto recovered = sqlite_driver({.file = crashed / "a.db"});
  const auto connection = recovered->connect({});
  EXPECT_EQ(connection->execute("pragma integrity_check").one().get<std::string>(0), "ok");
  EXPECT_LE(count(*connection), 1);
}

}  // namespace
}  // namespace carrel
