// COMMIT on a disk that fails: the one case in which SQLite leaves a transaction in doubt.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "carrel/db/sql_error.h"
#include "carrel/drivers/sqlite.h"
#include "db/failing_disk.h"
#include "db/temporary_folder.h"

namespace carrel {
namespace {

using test::FailingDisk;
using Call = FailingDisk::Call;

class SqliteDoubt : public testing::TestWithParam<Call> {
 protected:
  void open() {
    driver_ = sqlite_driver({.file = folder_ / "a.db"});
    writer_ = driver_->connect({});
  }
  void open_new() {
    open();
    writer_->execute("create table t (id integer primary key)");
  }

  // Whether COMMIT said that it is in doubt.
  bool commit_on_a_failing_disk(int id) {
    writer_->begin({});
    writer_->execute("insert into t values ($1)", std::array{Value(id)});
    FailingDisk::fail(GetParam());
    bool in_doubt = false;
    try {
      writer_->commit();
    } catch (const SqlError& error) {
      EXPECT_EQ(error.code(), "sql.io");
      EXPECT_FALSE(error.retryable());
      in_doubt = error.in_doubt();
    }
    FailingDisk::heal();
    EXPECT_FALSE(writer_->in_transaction());
    return in_doubt;
  }
  void commit_on_a_sound_disk(int id) {
    writer_->begin({});
    writer_->execute("insert into t values ($1)", std::array{Value(id)});
    writer_->commit();
  }
  static int count(Connection& connection) {
    return connection.execute("select count(*) from t").one().get<int>(0);
  }
  static bool has(Connection& connection, int id) {
    return !connection.execute("select 1 from t where id = $1", std::array{Value(id)}).empty();
  }
  // Row 0 is committed; row 1 is in doubt; then `more`; then the process is killed, and this one
  // opens what it left. Says whether the other came so far.
  template <class More>
  bool die_in_doubt(const More& more) {
    const pid_t child = ::fork();
    if (child == 0) {
      open_new();
      commit_on_a_sound_disk(0);
      if (!commit_on_a_failing_disk(1)) ::_exit(1);
      more();
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return false;
    open();
    return true;
  }

  FailingDisk disk_;
  test::TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Connection> writer_;
};

TEST_P(SqliteDoubt, ACommitThatTheDiskDidNotConfirmIsInDoubt) {
  open_new();
  EXPECT_TRUE(commit_on_a_failing_disk(1));
  EXPECT_FALSE(has(*writer_, 1));
}

TEST_P(SqliteDoubt, TheNextSuccessfulCommitSettlesItAsRolledBack) {
  open_new();
  ASSERT_TRUE(commit_on_a_failing_disk(1));
  commit_on_a_sound_disk(2);
  EXPECT_EQ(count(*writer_), 1);
  writer_.reset();
  driver_.reset();
  open();
  EXPECT_EQ(count(*writer_), 1);
}

// What was written lies in the system's memory, and so a killed process leaves it to recovery.
TEST_P(SqliteDoubt, AProcessThatIsKilledInDoubtLeavesAWholeDatabaseEitherWay) {
  ASSERT_TRUE(die_in_doubt([] {}));
  EXPECT_EQ(writer_->execute("pragma integrity_check").one().get<std::string>(0), "ok");
  EXPECT_TRUE(has(*writer_, 0));
  EXPECT_EQ(has(*writer_, 1), GetParam() == Call::sync);
  commit_on_a_sound_disk(2);
  EXPECT_TRUE(has(*writer_, 2));
}

TEST_P(SqliteDoubt, AProcessThatIsKilledAfterTheNextCommitLeavesItRolledBack) {
  ASSERT_TRUE(die_in_doubt([this] { commit_on_a_sound_disk(2); }));
  EXPECT_EQ(writer_->execute("pragma integrity_check").one().get<std::string>(0), "ok");
  EXPECT_TRUE(has(*writer_, 0));
  EXPECT_FALSE(has(*writer_, 1));
  EXPECT_TRUE(has(*writer_, 2));
}

// Of what was not synced, a loss of power may leave any part.
TEST_P(SqliteDoubt, PowerThatIsLostInDoubtLeavesTheOlderRowsWhateverWasWritten) {
  open_new();
  commit_on_a_sound_disk(0);
  const auto log = folder_ / "a.db-wal";
  const auto synced = std::filesystem::file_size(log);
  ASSERT_TRUE(commit_on_a_failing_disk(1));
  const auto written = std::filesystem::file_size(log);
  EXPECT_EQ(written > synced, GetParam() == Call::sync);
  constexpr std::uintmax_t step = 509;  // in no step with pages or frames
  for (auto left = synced; left <= written; left += step) {
    const test::TemporaryFolder lost;
    for (const auto* name : {"a.db", "a.db-wal"})
      std::filesystem::copy_file(folder_ / name, lost / name);
    std::filesystem::resize_file(lost / "a.db-wal", left);
    const auto recovered = sqlite_driver({.file = lost / "a.db"});
    const auto connection = recovered->connect({});
    EXPECT_EQ(connection->execute("pragma integrity_check").one().get<std::string>(0), "ok");
    EXPECT_TRUE(has(*connection, 0)) << left;
    EXPECT_LE(count(*connection), 2) << left;
  }
}

INSTANTIATE_TEST_SUITE_P(Calls, SqliteDoubt, testing::Values(Call::write, Call::sync),
                         [](const auto& call) {
                           return std::string(call.param == Call::write ? "Write" : "Sync");
                         });

}  // namespace
}  // namespace carrel
