// Every wait against a model: threads that borrow and return on command, one at a time, in an order
// that chance gives, and a model that says of each step what has to become of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "carrel/db/pool.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

constexpr std::size_t kPools = 3;
constexpr std::size_t kThreads = 6;
constexpr std::array<std::size_t, kPools> kSizes = {1, 2, 3};
constexpr std::size_t kHeldMax = 3;  // by a thread

enum class Outcome { lent, waits, refused };

// What the pools have to do, told by its definition: a wait is hopeful if what is waited for has a
// place that is free or held by nobody in particular, or by a thread that runs, or by one whose own
// wait is hopeful.
class Model {
 public:
  Outcome borrow(std::size_t thread, std::size_t pool) {
    if (free(pool) > 0) {
      held_[thread].push_back(pool);
      return Outcome::lent;
    }
    waits_for_[thread] = pool;
    if (!hopeful()[pool]) {
      waits_for_[thread].reset();
      return Outcome::refused;
    }
    line_[pool].push_back(thread);
    return Outcome::waits;
  }
  // Who is served with it, if anybody.
  std::optional<std::size_t> give_back(std::size_t thread, std::size_t at) {
    const auto pool = held_[thread][at];
    held_[thread].erase(held_[thread].begin() + static_cast<std::ptrdiff_t>(at));
    return serve(pool);
  }
  // Leases that may move between threads.
  void borrow_for_nobody(std::size_t pool) { ++moving_[pool]; }
  std::optional<std::size_t> give_back_for_nobody(std::size_t pool) {
    --moving_[pool];
    return serve(pool);
  }

  [[nodiscard]] std::size_t free(std::size_t pool) const {
    std::size_t taken = moving_[pool];
    for (const auto& held : held_)
      taken += static_cast<std::size_t>(std::ranges::count(held, pool));
    return kSizes[pool] - taken;
  }
  [[nodiscard]] std::size_t moving(std::size_t pool) const { return moving_[pool]; }
  [[nodiscard]] bool waits(std::size_t thread) const { return waits_for_[thread].has_value(); }
  [[nodiscard]] std::size_t waiting(std::size_t pool) const { return line_[pool].size(); }
  [[nodiscard]] const std::vector<std::size_t>& held(std::size_t thread) const {
    return held_[thread];
  }

 private:
  std::optional<std::size_t> serve(std::size_t pool) {
    if (line_[pool].empty()) return std::nullopt;
    const auto next = line_[pool].front();
    line_[pool].pop_front();
    waits_for_[next].reset();
    held_[next].push_back(pool);
    return next;
  }
  [[nodiscard]] std::array<bool, kPools> hopeful() const {
    std::array<bool, kPools> hopeful{};
    for (std::size_t round = 0; round < kPools; ++round) {  // hope spreads by one wait a round
      for (std::size_t pool = 0; pool < kPools; ++pool) {
        hopeful[pool] |= free(pool) > 0 || moving_[pool] > 0;
        for (std::size_t thread = 0; thread < kThreads; ++thread) {
          const auto& next = waits_for_[thread];
          hopeful[pool] |= std::ranges::count(held_[thread], pool) > 0 && (!next || hopeful[*next]);
        }
      }
    }
    return hopeful;
  }

  std::array<std::vector<std::size_t>, kThreads> held_;
  std::array<std::optional<std::size_t>, kThreads> waits_for_;
  std::array<std::deque<std::size_t>, kPools> line_;
  std::array<std::size_t, kPools> moving_{};
};

// A thread that does what it is told.
class Puppet {
 public:
  explicit Puppet(std::array<std::unique_ptr<Pool>, kPools>& pools)
      : pools_(pools), thread_([this] { run(); }) {}
  Puppet(const Puppet&) = delete;
  Puppet& operator=(const Puppet&) = delete;
  ~Puppet() {
    while (!done()) std::this_thread::yield();  // only after a failure it is not
    tell({.what = Act::end});
    thread_.join();
  }

  void borrow(std::size_t pool) { tell({.what = Act::borrow, .which = pool}); }
  void give_back(std::size_t at) { tell({.what = Act::give_back, .which = at}); }
  [[nodiscard]] bool done() const { return state_ == State::done; }
  // After a borrow that is done: the error's code, or nothing.
  [[nodiscard]] const std::string& code() const { return code_; }

 private:
  enum class State { done, told };
  enum class Act { borrow, give_back, end };
  struct Order {
    Act what = Act::end;
    std::size_t which = 0;
  };

  void tell(const Order& order) {
    order_ = order;
    state_ = State::told;
    state_.notify_one();
  }
  void run() {
    for (;;) {
      state_.wait(State::done);
      if (order_.what == Act::end) return leases_.clear();
      if (order_.what == Act::give_back) {
        leases_.erase(leases_.begin() + static_cast<std::ptrdiff_t>(order_.which));
      } else {
        code_ = code_of(
            [this] { leases_.push_back(pools_[order_.which]->borrow({.stays_on_thread = true})); });
      }
      state_ = State::done;
    }
  }

  std::array<std::unique_ptr<Pool>, kPools>& pools_;
  Order order_;
  std::string code_;
  std::vector<Pool::Lease> leases_;
  std::atomic<State> state_{State::done};
  std::thread thread_;
};

class HoldAndWaitModel : public testing::TestWithParam<unsigned> {
 protected:
  HoldAndWaitModel() {
    for (std::size_t i = 0; i < kPools; ++i) {
      auto sized = options(kSizes[i]);
      sized.label = [] { return std::string_view("a puppet"); };
      pools_[i] = std::make_unique<Pool>(sized, driver_);
    }
    for (auto& puppet : puppets_) puppet = std::make_unique<Puppet>(pools_);
  }

  void settle(std::size_t thread) const {
    while (!puppets_[thread]->done()) std::this_thread::yield();
  }
  void settle_in_line(std::size_t thread, std::size_t pool) const {
    while (!puppets_[thread]->done() && pools_[pool]->stats().waiting != model_.waiting(pool))
      std::this_thread::yield();
    ASSERT_FALSE(puppets_[thread]->done())
        << "did not wait: "
        << (puppets_[thread]->code().empty() ? "lent" : puppets_[thread]->code());
  }

  void borrow(std::size_t thread, std::size_t pool) {
    puppets_[thread]->borrow(pool);
    const auto outcome = model_.borrow(thread, pool);
    ++count_[static_cast<std::size_t>(outcome)];
    if (outcome == Outcome::waits) return settle_in_line(thread, pool);
    settle(thread);
    ASSERT_EQ(puppets_[thread]->code(), outcome == Outcome::refused ? "would_deadlock" : "");
  }
  void expect_served(std::optional<std::size_t> next) {
    if (!next) return;
    settle(*next);
    ASSERT_EQ(puppets_[*next]->code(), "");
  }
  void give_back(std::size_t thread, std::size_t at) {
    puppets_[thread]->give_back(at);
    const auto next = model_.give_back(thread, at);
    settle(thread);
    expect_served(next);
  }
  // A lease of the test's own, held by no thread in particular.
  void move_about(std::size_t pool) {
    if (model_.moving(pool) > 0) {
      moving_[pool].pop_back();
      return expect_served(model_.give_back_for_nobody(pool));
    }
    if (model_.free(pool) == 0) return;
    moving_[pool].push_back(pools_[pool]->borrow());
    model_.borrow_for_nobody(pool);
  }
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }
  void step() {
    if (below(12) == 0) return move_about(below(kPools));
    const auto thread = below(kThreads);
    if (model_.waits(thread)) return;
    const auto held = model_.held(thread).size();
    if (held == kHeldMax || (held > 0 && below(3) == 0)) return give_back(thread, below(held));
    borrow(thread, below(kPools));
  }
  // Whoever runs gives back what it holds, until nobody waits and nothing is held.
  void end() {
    for (std::size_t pool = 0; pool < kPools; ++pool) {
      if (model_.moving(pool) > 0) move_about(pool);
    }
    for (bool any = true; any && !HasFatalFailure();) {
      any = false;
      for (std::size_t thread = 0; thread < kThreads; ++thread) {
        if (model_.waits(thread) || model_.held(thread).empty()) continue;
        give_back(thread, 0);
        any = true;
      }
    }
    for (std::size_t thread = 0; thread < kThreads; ++thread)
      EXPECT_FALSE(model_.waits(thread)) << "waits for ever";
  }

  StubDriver driver_;
  std::array<std::unique_ptr<Pool>, kPools> pools_;
  Model model_;
  std::array<std::vector<Pool::Lease>, kPools> moving_;
  std::array<std::unique_ptr<Puppet>, kThreads> puppets_;
  std::minstd_rand random_{GetParam()};
  std::array<int, 3> count_{};  // by outcome
};

TEST_P(HoldAndWaitModel, RefusesExactlyTheWaitsThatWouldNeverEnd) {
  constexpr int kSteps = 10'000;
  for (int i = 0; i < kSteps && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    step();
  }
  end();
  for (const auto count : count_) EXPECT_GT(count, kSteps / 100);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HoldAndWaitModel, testing::Range(1U, 6U));

}  // namespace
}  // namespace carrel::test
