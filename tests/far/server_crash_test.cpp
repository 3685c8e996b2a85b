// A shard's server that dies in the middle of a two-phase commit and comes back with what was on
// its disk. The cluster is this program's own (tools/test-servers, "crash").
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "drivers/errors.h"
#include "far/two_shards.h"

namespace carrel::test {
namespace {

// The postmaster of one cluster, which may be killed and started again as it was.
class Postmaster {
 public:
  explicit Postmaster(const std::string& name) : folder_(server_setting(name + "_DIR")) {
    const auto words = contents("/proc/" + std::to_string(pid()) + "/cmdline");
    for (std::size_t at = 0; at < words.size(); at += command_.back().size() + 1)
      command_.emplace_back(words.c_str() + at);
  }

  // Without a checkpoint, as after a crash: only what was flushed is there again.
  void die() const {
    const auto victim = pid();
    ASSERT_EQ(kill(victim, SIGQUIT), 0);
    const auto words = "/proc/" + std::to_string(victim) + "/cmdline";
    while (!contents(words).empty()) waitpid(victim, nullptr, WNOHANG);
  }
  void start(const std::vector<std::string>& more = {}) const {
    auto words = command_;
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    struct stat owner{};
    ASSERT_EQ(stat((folder_ + "/data").c_str(), &owner), 0);
    const auto log = folder_ + "/log";
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child != 0) return;
    const int out = open(log.c_str(), O_WRONLY | O_APPEND);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    static_cast<void>(setsid());
    const bool is_owner =
        geteuid() == owner.st_uid ||
        (setgroups(0, nullptr) == 0 && setgid(owner.st_gid) == 0 && setuid(owner.st_uid) == 0);
    if (is_owner) execv(arguments[0], arguments.data());
    _exit(127);
  }

 private:
  static std::string contents(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] pid_t pid() const { return std::stoi(contents(folder_ + "/data/postmaster.pid")); }

  std::string folder_;
  std::vector<std::string> command_;
};

class ServerCrash : public testing::Test {
 protected:
  ServerCrash() {
    fixed_.open()->execute("insert into account values ('fixed', 1, 100)");
    mortal_.open()->execute("insert into account values ('mortal', 60, 100)");
  }
  void make_session(std::function<void(TwoPhaseStep)> on_step = nullptr) {
    session_.emplace(SessionOptions{
        .routes = {{"fixed", &fixed_.pool(), {}}, {"mortal", &mortal_.pool(), {}}},
        .marker = [this]() -> std::optional<std::string_view> { return *route_.find(); },
        .two_phase = TwoPhase{.name = own_name(),
                              .settle_max = std::chrono::milliseconds(300),
                              .on_step = std::move(on_step)}});
  }
  void die_at(TwoPhaseStep when) {
    make_session([this, when](TwoPhaseStep step) {
      if (step == when) server_.die();
    });
  }
  void add(const char* route, std::int64_t amount) {
    const auto bound = route_.bind(std::string(route));
    session_->execute("update account set balance = balance + $1", amount);
  }
  // The second of them decides.
  Together transfer(const char* from, const char* to) {
    return session_->together({}, [&] { add(from, -10); }, [&] { add(to, 10); });
  }
  void wait_until_it_answers() {
    while (thrown_by([&] { static_cast<void>(mortal_.open()); }) != "nothing") {
    }
  }
  // Both of it or none, and nothing left over.
  void recover_and_expect(const char* from, bool transferred) {
    make_session();
    const auto found = session_->recover(std::chrono::seconds(30));
    EXPECT_EQ(found.in_doubt, std::vector<std::string>());
    EXPECT_EQ(found.unreachable, std::vector<std::string>());
    EXPECT_EQ(fixed_.prepared() + mortal_.prepared(), 0);
    const bool from_fixed = std::string_view(from) == "fixed";
    const std::int64_t moved = transferred ? 10 : 0;
    EXPECT_EQ(fixed_.number("select balance from account"), from_fixed ? 100 - moved : 100 + moved);
    EXPECT_EQ(mortal_.number("select balance from account"),
              from_fixed ? 100 + moved : 100 - moved);
  }

  Postmaster server_{"CRASH"};
  Shard fixed_{"FIXED"};
  Shard mortal_{"CRASH"};
  RequestLocal<std::string> route_{"route"};
  std::optional<Session> session_;
  const Scope scope_{{.name = "a test"}};
};

TEST_F(ServerCrash, WhatItHadPreparedIsCommittedOnceItIsBack) {
  die_at(TwoPhaseStep::decided);
  EXPECT_EQ(transfer("mortal", "fixed"), Together::unfinished);
  server_.start();
  wait_until_it_answers();
  EXPECT_EQ(mortal_.prepared(), 1);
  recover_and_expect("mortal", /*transferred=*/true);
}

TEST_F(ServerCrash, OfWhatItHadPreparedButNobodyDecidedNothingRemains) {
  make_session([&](TwoPhaseStep step) {
    if (step != TwoPhaseStep::prepared) return;
    server_.die();
    fixed_.open()->execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = "
        "current_database() and pid <> pg_backend_pid()");
  });
  EXPECT_NE(thrown_by([&] { transfer("mortal", "fixed"); }), "nothing");
  server_.start();
  wait_until_it_answers();
  EXPECT_EQ(mortal_.prepared(), 1);
  recover_and_expect("mortal", /*transferred=*/false);
}

TEST_F(ServerCrash, ADeciderThatDiesBeforeItsCommitHasRolledBoth) {
  die_at(TwoPhaseStep::prepared);
  EXPECT_EQ(thrown_by([&] { transfer("fixed", "mortal"); }), "sql.connection_lost, in doubt");
  server_.start();
  wait_until_it_answers();
  recover_and_expect("fixed", /*transferred=*/false);
}

// The others' COMMIT PREPARED is always flushed: were the decision not, a crash would take it back.
TEST_F(ServerCrash, ADecisionOutlivesItEvenWhereItsCommitsAreNotFlushed) {
  mortal_.open()->execute("alter database " + own_name() + " set synchronous_commit = off");
  die_at(TwoPhaseStep::decided);
  EXPECT_EQ(transfer("fixed", "mortal"), Together::committed);
  server_.start();
  wait_until_it_answers();
  recover_and_expect("fixed", /*transferred=*/true);
}

TEST_F(ServerCrash, AServerThatKeepsNothingPreparedIsToldByBoth) {
  server_.die();
  server_.start({"-c", "max_prepared_transactions=0"});
  wait_until_it_answers();
  static_cast<void>(mortal_.pool().borrow()->validate());  // a link of before
  make_session();
  EXPECT_EQ(thrown_by([&] { transfer("mortal", "fixed"); }), "sql.unsupported");
  EXPECT_EQ(thrown_by([&] { static_cast<void>(session_->recover()); }), "two_phase_disabled");
  EXPECT_EQ(fixed_.number("select balance from account"), 100);
  EXPECT_EQ(mortal_.number("select balance from account"), 100);
  server_.die();
  server_.start();
  wait_until_it_answers();
}

}  // namespace
}  // namespace carrel::test
