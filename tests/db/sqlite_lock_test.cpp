// Who keeps whom off a database file: by names and links, in messages, and through other programs.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "carrel/db/sql_error.h"
#include "carrel/drivers/sqlite.h"
#include "db/temporary_folder.h"

namespace carrel::test {
namespace {

namespace fs = std::filesystem;

class SqliteLock : public testing::Test {
 protected:
  static std::optional<SqlError> refusal_of(const fs::path& file) {
    try {
      const auto driver = sqlite_driver({.file = file});
    } catch (const SqlError& error) {
      return error;
    }
    return std::nullopt;
  }
  static std::string code_of(const fs::path& file) {
    const auto refused = refusal_of(file);
    return refused ? std::string(refused->code()) : "nothing";
  }
  static bool tells(const SqlError& error, std::string_view words) {
    return std::string_view(error.what()).find(words) != std::string_view::npos;
  }

  const TemporaryFolder folder_;
  const fs::path file_ = folder_ / "a.db";
  const fs::path lock_ = folder_ / "a.db.lock";
};

TEST_F(SqliteLock, IsTheSameByALinkThatLedNowhereWhenTheDriverWasMade) {
  fs::create_directory(folder_ / "elsewhere");
  const auto link = folder_ / "elsewhere" / "b.db";
  fs::create_symlink("../c.db", link);
  fs::create_symlink(file_, folder_ / "c.db");  // a link to a link, and there is no file yet
  const auto driver = sqlite_driver({.file = link});
  EXPECT_EQ(code_of(file_), "sql.in_use");
  EXPECT_EQ(code_of(link), "sql.in_use");
  EXPECT_TRUE(fs::exists(lock_));
}

TEST_F(SqliteLock, IsOfNoUseToAFileThatHasASecondName) {
  auto driver = sqlite_driver({.file = file_});
  fs::create_hard_link(file_, folder_ / "b.db");
  const auto refused = refusal_of(folder_ / "b.db");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), "sql.unsupported");
  EXPECT_TRUE(tells(*refused, "has 2 names")) << refused->what();
  driver.reset();
  EXPECT_EQ(code_of(file_), "sql.unsupported");  // also the first, and although nobody uses it
  fs::remove(folder_ / "b.db");
  EXPECT_EQ(code_of(file_), "nothing");
}

// Else a program that somebody starts meanwhile would go on holding it.
TEST_F(SqliteLock, IsNotHandedToAProgramThatIsStarted) {
  auto driver = sqlite_driver({.file = file_});
  FILE* const program = ::popen("cat > /dev/null", "w");
  ASSERT_NE(program, nullptr);
  driver.reset();
  EXPECT_EQ(code_of(file_), "nothing");
  EXPECT_EQ(::pclose(program), 0);
}

TEST_F(SqliteLock, ThatAnotherHoldsMayBeTriedForAgain) {
  const auto driver = sqlite_driver({.file = file_});
  const auto refused = refusal_of(file_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), "sql.in_use");
  EXPECT_TRUE(refused->retryable());
  EXPECT_FALSE(refused->in_doubt());
  EXPECT_EQ(refused->native_code(), EWOULDBLOCK);
  EXPECT_TRUE(tells(*refused, lock_.string())) << refused->what();
}

TEST_F(SqliteLock, ThatIsRefusedLeavesNoFileOpen) {
  const auto driver = sqlite_driver({.file = file_});
  const auto open_files = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const auto before = open_files();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(code_of(file_), "sql.in_use");
  EXPECT_EQ(open_files(), before);
}

TEST_F(SqliteLock, WithoutRoomForItsOwnersNameIsNotHeld) {
  struct rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit no_room{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  auto* const before = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &no_room), 0);
  const auto refused = refusal_of(file_);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  static_cast<void>(std::signal(SIGXFSZ, before));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->native_code(), EFBIG);
  EXPECT_TRUE(tells(*refused, lock_.string())) << refused->what();
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_EQ(code_of(file_), "nothing");
}

TEST_F(SqliteLock, NamesItsOwnerAndNothingOfTheOneBefore) {
  std::ofstream(lock_) << "12345678901234567890\n";
  const auto driver = sqlite_driver({.file = file_});
  std::string text(100, '\0');
  std::ifstream(lock_).read(text.data(), 100);
  EXPECT_EQ(text.c_str(), std::to_string(::getpid()) + "\n");
}

TEST_F(SqliteLock, WithoutAnOwnersNameIsAnotherProcess) {
  const auto driver = sqlite_driver({.file = file_});
  std::ofstream(lock_, std::ios::trunc) << "no number\n";
  const auto refused = refusal_of(file_);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(tells(*refused, "is in use by another process;")) << refused->what();
}

TEST_F(SqliteLock, ThatCannotBeOpenedIsToldWithTheSystemsReason) {
  fs::create_directory(lock_);
  const auto refused = refusal_of(file_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), "sql.io");
  EXPECT_EQ(refused->native_code(), EISDIR);
  EXPECT_FALSE(refused->retryable());
  EXPECT_TRUE(tells(*refused, lock_.string() + ": Is a directory")) << refused->what();
  EXPECT_FALSE(fs::exists(file_));
}

TEST_F(SqliteLock, EndsWithTheDriverAlsoWhereThatFailedToOpenTheFile) {
  std::ofstream(file_) << std::string(5'000, 'x');
  EXPECT_EQ(code_of(file_), "sql.not_a_database");
  fs::remove(file_);
  EXPECT_EQ(code_of(file_), "nothing");
}

}  // namespace
}  // namespace carrel::test
