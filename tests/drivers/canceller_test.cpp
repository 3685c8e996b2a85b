// What a Canceller asks of the server, and when.
#include "drivers/remote/canceller.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace carrel::remote {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using Asked = std::vector<CancelTarget>;

// The server: notes what it is asked, and answers when it is let.
class Heard {
 public:
  void operator()(CancelTarget target) {
    std::unique_lock lock(mutex_);
    asked_.push_back(target);
    changed_.notify_all();
    changed_.wait(lock, [&] { return answers_; });
  }
  void set_answers(bool answers) {
    const std::scoped_lock lock(mutex_);
    answers_ = answers;
    changed_.notify_all();
  }
  void wait_for(std::size_t times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_.size() >= times; });
  }
  void no_thread_asks_any_more() {
    const std::scoped_lock lock(mutex_);
    nobody_asks_ = true;
    changed_.notify_all();
  }
  // All that was asked, once nobody will ask again.
  Asked all() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return nobody_asks_; });
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answers_ = true;
  bool nobody_asks_ = false;
  Asked asked_;
};

class CancellerTest : public testing::Test {
 protected:
  CancellerTest() {
    // Dies with the canceller and with the last thread that asks for it.
    const std::shared_ptr<Heard> token(&heard_,
                                       [](Heard* heard) { heard->no_thread_asks_any_more(); });
    canceller_.emplace([token](CancelTarget target) { (*token)(target); });
  }
  Asked asked() {
    canceller_.reset();
    return heard_.all();
  }

  Heard heard_;
  std::optional<Canceller> canceller_;
};

TEST_F(CancellerTest, AsksAgainUntilTheStatementEnds) {
  canceller_->statement_begins();
  canceller_->request(CancelReason::deadline);
  heard_.wait_for(2);
  const auto aftermath = canceller_->statement_ends(hours(1), true);
  EXPECT_EQ(aftermath.reason, CancelReason::deadline);
  EXPECT_TRUE(aftermath.settled);
  for (const auto target : asked()) EXPECT_EQ(target, CancelTarget::statement);
}

TEST_F(CancellerTest, AsksOnceMoreAboutAConnectionThatIsOfNoUse) {
  canceller_->statement_begins();
  canceller_->request(CancelReason::asked);
  heard_.wait_for(1);
  EXPECT_TRUE(canceller_->statement_ends(hours(1), false).settled);
  const auto all = asked();
  EXPECT_EQ(all.front(), CancelTarget::statement);
  EXPECT_EQ(all.back(), CancelTarget::connection);
}

TEST_F(CancellerTest, AsksOnceMoreAboutAConnectionThatCouldNotWaitForTheFirstAnswer) {
  heard_.set_answers(false);
  canceller_->statement_begins();
  canceller_->request(CancelReason::deadline);
  heard_.wait_for(1);
  EXPECT_FALSE(canceller_->statement_ends(milliseconds(0), true).settled);
  heard_.set_answers(true);
  EXPECT_EQ(asked(), (Asked{CancelTarget::statement, CancelTarget::connection}));
}

TEST_F(CancellerTest, AsksNothingAboutAConnectionWhoseStatementNobodyCancelled) {
  canceller_->statement_begins();
  EXPECT_EQ(canceller_->statement_ends(hours(1), false).reason, CancelReason::none);
  canceller_->request(CancelReason::deadline);  // too late: it has ended
  EXPECT_EQ(asked(), Asked{});
}

}  // namespace
}  // namespace carrel::remote
