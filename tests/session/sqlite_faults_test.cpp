// Seven propagation modes on a file, when BEGIN fails, when what was put aside fails as it is taken
// up again, and when COMMIT fails; with one connection and with several.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "carrel/drivers/sqlite.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "db/failing_disk.h"
#include "db/temporary_folder.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

using Rows = std::vector<int>;
using P = Propagation;

constexpr std::array kModes = {P::required,      P::requires_new, P::nested, P::supports,
                               P::not_supported, P::mandatory,    P::never};

std::string name(P mode, bool inside) {
  return "mode " + std::to_string(static_cast<int>(mode)) + (inside ? ", inside" : ", outside");
}

// On SQLite BEGIN fails where somebody else holds the file's lock, COMMIT where the disk does.
class OnAFile : public testing::TestWithParam<std::size_t> {
 protected:
  OnAFile() {
    sqlite_ = sqlite_driver({.file = folder_ / "a.db", .busy_max = std::chrono::milliseconds(1)});
    auto setup = sqlite_->connect({});
    setup->execute("create table item (id bigint primary key)");
    setup.reset();
    pool_.emplace(PoolOptions{.name = "file",
                              .size_max = GetParam(),
                              .acquire_max = std::chrono::seconds(60),
                              .label = scope_label},
                  *sqlite_);
    session_.emplace(SessionOptions{.routes = {{"all", &*pool_, {{"item", "item"}}}}});
    EXPECT_EQ(sqlite3_open((folder_ / "a.db").c_str(), &stranger_), SQLITE_OK);
  }
  ~OnAFile() override {
    FailingDisk::heal();
    sqlite3_close(stranger_);
  }

  void stranger(const char* sql) {
    EXPECT_EQ(sqlite3_exec(stranger_, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
  }
  void expect_rows(const Rows& expected) {
    EXPECT_FALSE(session_->in_transaction());
    EXPECT_EQ(pool_->stats().active, 0U);
    Rows ids;
    for (const Row row : session_->execute("select id from {item} order by id"))
      ids.push_back(row.get<int>(0));
    EXPECT_EQ(ids, expected);
    session_->execute("delete from {item}");
  }
  void insert(int id) { session_->execute("insert into {item} values ($1)", id); }
  std::string insert_in(P mode, int id) {
    return thrown_by([&] { session_->transaction({.propagation = mode}, [&] { insert(id); }); });
  }

  FailingDisk disk_;
  TemporaryFolder folder_;
  std::unique_ptr<Driver> sqlite_;
  std::optional<Pool> pool_;
  std::optional<Session> session_;
  const Scope scope_{{.name = "a test"}};
  sqlite3* stranger_ = nullptr;
};

TEST_P(OnAFile, ABeginThatFindsTheFileLockedMayBeRepeated) {
  for (const auto mode : kModes) {
    SCOPED_TRACE(name(mode, false));
    stranger("begin immediate");
    const auto thrown = insert_in(mode, 2);
    stranger("rollback");
    EXPECT_EQ(thrown, mode == P::mandatory ? "no_transaction" : "sql.busy, retryable");
    expect_rows({});
  }
}

TEST_P(OnAFile, AnOuterTransactionThatHasRunNothingFailsToBeginAfterTheInnerHasEnded) {
  for (const auto mode : {P::requires_new, P::not_supported}) {
    SCOPED_TRACE(name(mode, true));
    const auto outer = thrown_by([&] {
      session_->transaction([&] {
        EXPECT_EQ(insert_in(mode, 2), "nothing");
        stranger("begin immediate");
        insert(1);
      });
    });
    stranger("rollback");
    EXPECT_EQ(outer, "sql.busy, retryable");
    expect_rows({2});
  }
}

// What is beside the transaction fails by itself; what is part of it takes it along.
TEST_P(OnAFile, ABeginThatFindsTheFileLockedInsideFailsWhatItIsPartOf) {
  for (const auto mode : {P::required, P::supports, P::mandatory, P::nested}) {
    SCOPED_TRACE(name(mode, true));
    std::string inner;
    const auto outer = thrown_by([&] {
      session_->transaction([&] {
        stranger("begin immediate");
        inner = insert_in(mode, 2);
        stranger("rollback");
        if (mode == P::nested) insert(1);  // begins anew
      });
    });
    EXPECT_EQ(inner, "sql.busy, retryable");
    EXPECT_EQ(outer, mode == P::nested ? "nothing" : "rolled_back");
    expect_rows(mode == P::nested ? Rows{1} : Rows{});
  }
  for (const auto mode : {P::requires_new, P::not_supported}) {
    SCOPED_TRACE(name(mode, true));
    std::string inner;
    const auto outer = thrown_by([&] {
      session_->transaction({.read_only = true}, [&] {
        EXPECT_TRUE(session_->execute("select id from {item}").empty());
        stranger("begin immediate");
        inner = insert_in(mode, 2);
        stranger("rollback");
        EXPECT_TRUE(session_->execute("select id from {item}").empty());
      });
    });
    EXPECT_EQ(inner, GetParam() > 1 ? "sql.busy, retryable" : "would_deadlock");
    EXPECT_EQ(outer, "nothing");
    expect_rows({});
  }
}

// A reader that somebody has overtaken may not write any more: its snapshot is old. A session
// begins what writes as a writer, so that only who talks a read-only transaction into it meets
// this.
TEST_P(OnAFile, AWriteOnASnapshotThatIsOldRunsAgain) {
  if (GetParam() > 1) return;  // a reader's file is open for reading only
  int runs = 0;
  std::string code;
  session_->transaction({.read_only = true, .retry = Retry::conflicts(1)}, [&] {
    EXPECT_EQ(session_->execute("select id from {item}").size(), runs == 0 ? 0U : 1U);
    if (++runs == 1) stranger("insert into item values (7)");
    session_->execute("pragma query_only = off");
    code += thrown_by([&] { insert(8); }) + "; ";
    if (runs == 1) insert(8);
  });
  EXPECT_EQ(code, "sql.serialization_failure, retryable; nothing; ");
  EXPECT_EQ(runs, 2);
  expect_rows({7, 8});
}

// Refused in good order: rolled back for certain, and the connection stays.
TEST_P(OnAFile, ACommitThatADeferredForeignKeyRefusesIsRolledBackForCertain) {
  session_->execute(
      "create table part (item bigint references item (id) deferrable initially deferred)");
  const std::string refused = "sql.foreign_key_violation";
  const auto opened = pool_->stats().created;
  const auto orphan_in = [&](P mode) {
    return thrown_by([&] {
      session_->transaction({.propagation = mode}, [&] {
        insert(2);
        session_->execute("insert into part values (99)");
      });
    });
  };
  for (const auto mode : kModes) {
    SCOPED_TRACE(name(mode, false));
    EXPECT_EQ(orphan_in(mode), mode == P::mandatory ? "no_transaction" : refused);
    const bool alone = mode == P::supports || mode == P::not_supported || mode == P::never;
    expect_rows(alone ? Rows{2} : Rows{});  // each statement by itself
  }
  for (const auto mode : kModes) {
    SCOPED_TRACE(name(mode, true));
    std::string inner;
    const auto outer = thrown_by([&] {
      session_->transaction([&] {
        const bool aside = mode == P::requires_new || mode == P::not_supported;
        if (!aside) insert(1);  // what is beside it needs the one writer
        inner = orphan_in(mode);
        if (aside) insert(1);
      });
    });
    switch (mode) {
      case P::required:
      case P::supports:
      case P::mandatory:
      case P::nested:
        EXPECT_EQ(inner, "nothing");
        EXPECT_EQ(outer, refused);
        expect_rows({});
        break;
      case P::requires_new:
      case P::not_supported:
        EXPECT_EQ(inner, refused);
        EXPECT_EQ(outer, "nothing");
        expect_rows(mode == P::requires_new ? Rows{1} : Rows{1, 2});
        break;
      case P::never:
        EXPECT_EQ(inner, "transaction_exists");
        EXPECT_EQ(outer, "nothing");
        expect_rows({1});
    }
  }
  EXPECT_EQ(session_->execute("select count(*) from part").one().get<int>(0), 0);
  EXPECT_LE(pool_->stats().created, std::max<std::uint64_t>(opened, GetParam()));
  EXPECT_EQ(pool_->stats().closed_broken, 0U);
}

// With more than one connection a reader runs meanwhile; with one it is refused.
TEST_P(OnAFile, AWriterThatIsTakenUpAgainOnAFailingDiskIsInDoubt) {
  std::string inner;
  const auto outer = thrown_by([&] {
    session_->transaction([&] {
      insert(1);
      inner = thrown_by([&] {
        session_->transaction({.propagation = P::requires_new, .read_only = true}, [&] {
          EXPECT_TRUE(session_->execute("select id from {item}").empty());
        });
      });
      FailingDisk::fail(FailingDisk::Call::sync);
    });
  });
  FailingDisk::heal();
  EXPECT_EQ(inner, GetParam() > 1 ? "nothing" : "would_deadlock");
  EXPECT_EQ(outer, "sql.io, in doubt");
  expect_rows({});
}

TEST_P(OnAFile, ACommitThatTheDiskDoesNotConfirmIsInDoubtWhicheverModeBegan) {
  for (const auto call : {FailingDisk::Call::write, FailingDisk::Call::sync}) {
    for (const auto mode : {P::required, P::requires_new, P::nested}) {
      SCOPED_TRACE(name(mode, false));
      const auto thrown = thrown_by([&] {
        session_->transaction({.propagation = mode, .retry = Retry::conflicts(3)}, [&] {
          insert(2);
          FailingDisk::fail(call);
        });
      });
      FailingDisk::heal();
      EXPECT_EQ(thrown, "sql.io, in doubt");
      expect_rows({});
    }
    for (const auto mode : {P::required, P::supports, P::mandatory, P::nested}) {
      SCOPED_TRACE(name(mode, true));
      const auto thrown = thrown_by([&] {
        session_->transaction([&] {
          insert(1);
          EXPECT_EQ(insert_in(mode, 2), "nothing");
          FailingDisk::fail(call);
        });
      });
      FailingDisk::heal();
      EXPECT_EQ(thrown, "sql.io, in doubt");
      expect_rows({});
    }
  }
}

// What runs without a transaction commits by itself, and so its own error is the one of COMMIT.
TEST_P(OnAFile, AStatementAloneThatTheDiskDoesNotConfirmIsInDoubt) {
  for (const auto mode : {P::supports, P::not_supported, P::never}) {
    SCOPED_TRACE(name(mode, false));
    FailingDisk::fail(FailingDisk::Call::sync);
    const auto thrown = insert_in(mode, 2);
    FailingDisk::heal();
    EXPECT_EQ(thrown, "sql.io, in doubt");
    expect_rows({});
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, OnAFile, testing::Values(std::size_t{1}, std::size_t{4}),
                         [](const auto& size) { return "With" + std::to_string(size.param); });

}  // namespace
}  // namespace carrel::test
