// Every wait against a model: threads that borrow and return on command, one at a time, in an order
// that chance gives, and a model that says of each step what has to become of it. With pools that
// stand alone, and with pools that share a total.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "carrel/db/pool.h"
#include "carrel/db/pool_group.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

constexpr std::size_t kThreads = 6;
constexpr std::size_t kHeldMax = 3;  // by a thread

struct World {
  std::string name;
  std::vector<std::size_t> sizes;           // of the pools
  std::optional<std::size_t> permits = {};  // that they share
  std::size_t beside = 0;                   // so many pools, the first ones, do not

  int steps = 10'000;

  [[nodiscard]] bool shares(std::size_t pool) const { return permits && pool >= beside; }
};

void PrintTo(const World& world, std::ostream* out) {
  *out << world.name;
}

enum class Outcome { lent, waits, refused };

// What the pools have to do, told by its definition: a wait is hopeful if what is waited for has a
// place that is free or held by nobody in particular, or by a thread that runs, or by one whose own
// wait is hopeful. Where the place is free and only a permit is missing, the same is asked of all
// that hold one.
class Model {
 public:
  explicit Model(const World& world) : world_(world), line_(world.sizes.size()) {}

  Outcome borrow(std::size_t thread, std::size_t pool) {
    if (may_have(pool)) {
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
  void give_back(std::size_t thread, std::size_t at) {
    held_[thread].erase(held_[thread].begin() + static_cast<std::ptrdiff_t>(at));
  }
  // Leases that may move between threads.
  void borrow_for_nobody(std::size_t pool) { moved_.push_back(pool); }
  void give_back_for_nobody(std::size_t pool) { moved_.erase(std::ranges::find(moved_, pool)); }

  // Those of whom one, and only one, is to be served now: the heads of lines. Which one, where
  // pools share a total, is not what this model is about.
  [[nodiscard]] std::vector<std::size_t> next() const {
    std::vector<std::size_t> heads;
    for (std::size_t pool = 0; pool < line_.size(); ++pool) {
      if (!line_[pool].empty() && has_place(pool) && has_permit(pool))
        heads.push_back(line_[pool].front());
    }
    return heads;
  }
  void serve(std::size_t thread) {
    const auto pool = *waits_for_[thread];
    line_[pool].pop_front();
    waits_for_[thread].reset();
    held_[thread].push_back(pool);
  }

  // At once.
  [[nodiscard]] bool may_have(std::size_t pool) const {
    return line_[pool].empty() && has_place(pool) && has_permit(pool);
  }
  [[nodiscard]] std::size_t moving(std::size_t pool) const {
    return static_cast<std::size_t>(std::ranges::count(moved_, pool));
  }
  [[nodiscard]] bool waits(std::size_t thread) const { return waits_for_[thread].has_value(); }
  [[nodiscard]] std::size_t waiting(std::size_t pool) const { return line_[pool].size(); }
  [[nodiscard]] const std::vector<std::size_t>& held(std::size_t thread) const {
    return held_[thread];
  }

 private:
  [[nodiscard]] std::size_t taken(std::size_t pool) const {
    std::size_t taken = moving(pool);
    for (const auto& held : held_)
      taken += static_cast<std::size_t>(std::ranges::count(held, pool));
    return taken;
  }
  [[nodiscard]] bool has_place(std::size_t pool) const { return taken(pool) < world_.sizes[pool]; }
  [[nodiscard]] bool has_permit(std::size_t pool) const {
    return !world_.shares(pool) || taken_of_total() < *world_.permits;
  }
  [[nodiscard]] std::size_t taken_of_total() const {
    std::size_t taken = 0;
    const auto count = [&](std::size_t pool) { taken += world_.shares(pool) ? 1 : 0; };
    std::ranges::for_each(moved_, count);
    for (const auto& held : held_) std::ranges::for_each(held, count);
    return taken;
  }

  using Hopes = std::vector<bool>;
  [[nodiscard]] bool moves(std::size_t thread, const Hopes& hopeful) const {
    const auto& next = waits_for_[thread];
    return !next || hopeful[*next];
  }
  // Whether somebody may give back what is of use: one of the pool, or where it lacks a permit only
  // one of any that share.
  [[nodiscard]] bool may_come(std::size_t pool, const Hopes& hopeful) const {
    const bool any_of_total = has_place(pool);
    if (any_of_total && has_permit(pool)) return true;
    const auto is_of_use = [&](std::size_t other) {
      return other == pool || (any_of_total && world_.shares(other));
    };
    if (std::ranges::any_of(moved_, is_of_use)) return true;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      if (std::ranges::any_of(held_[thread], is_of_use) && moves(thread, hopeful)) return true;
    }
    return false;
  }
  [[nodiscard]] Hopes hopeful() const {
    Hopes hopeful(world_.sizes.size());
    for (bool spreads = true; spreads;) {  // by one wait a round
      spreads = false;
      for (const auto& pool : waits_for_) {
        if (!pool || hopeful[*pool] || !may_come(*pool, hopeful)) continue;
        hopeful[*pool] = true;
        spreads = true;
      }
    }
    return hopeful;
  }

  const World& world_;
  std::array<std::vector<std::size_t>, kThreads> held_;
  std::array<std::optional<std::size_t>, kThreads> waits_for_;
  std::vector<std::deque<std::size_t>> line_;  // by pool
  std::vector<std::size_t> moved_;             // the pools of leases that nobody holds
};

// A thread that does what it is told.
class Puppet {
 public:
  explicit Puppet(std::vector<std::unique_ptr<Pool>>& pools)
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

  std::vector<std::unique_ptr<Pool>>& pools_;
  Order order_;
  std::string code_;
  std::vector<Pool::Lease> leases_;
  std::atomic<State> state_{State::done};
  std::thread thread_;
};

std::vector<World> worlds() {
  return {
      {.name = "PoolsOfTheirOwn", .sizes = {1, 2, 3}},
      {.name = "PoolsUnderOneTotal", .sizes = {1, 2, 3}, .permits = 4},
      {.name = "PoolsUnderOneTotalAndOneBeside", .sizes = {1, 1, 2, 3}, .permits = 3, .beside = 1},
      {.name = "AThousandTenantsUnderOneTotal",
       .sizes = std::vector<std::size_t>(1'000, 2),
       .permits = 10,
       .steps = 2'000}};
}

using Param = std::tuple<World, unsigned>;  // and a seed

class HoldAndWaitModel : public testing::TestWithParam<Param> {
 protected:
  HoldAndWaitModel() {
    if (world_.permits) group_.emplace(PoolGroupOptions{*world_.permits, /*maintain_every=*/{}});
    for (std::size_t i = 0; i < world_.sizes.size(); ++i) {
      auto sized = options(world_.sizes[i]);
      sized.label = [] { return std::string_view("a puppet"); };
      if (world_.shares(i)) sized.group = &*group_;
      pools_.push_back(std::make_unique<Pool>(sized, driver_));
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
  void expect_next_served() {
    const auto next = model_.next();
    if (next.empty()) return;
    auto served = next.end();
    while (served == next.end()) {
      std::this_thread::yield();
      served = std::ranges::find_if(next, [&](auto thread) { return puppets_[thread]->done(); });
    }
    ASSERT_EQ(puppets_[*served]->code(), "");
    model_.serve(*served);
    ASSERT_TRUE(model_.next().empty());
  }
  void give_back(std::size_t thread, std::size_t at) {
    puppets_[thread]->give_back(at);
    model_.give_back(thread, at);
    settle(thread);
    expect_next_served();
  }
  // A lease of the test's own, held by no thread in particular.
  void move_about(std::size_t pool) {
    if (model_.moving(pool) > 0) {
      moving_[pool].pop_back();
      model_.give_back_for_nobody(pool);
      return expect_next_served();
    }
    if (!model_.may_have(pool)) return;
    moving_[pool].push_back(pools_[pool]->borrow());
    model_.borrow_for_nobody(pool);
  }
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }
  std::size_t some_pool() { return below(world_.sizes.size()); }
  // One such lease at most where there is a total: else they soon hold all of it.
  void move_about() {
    const auto moved =
        std::ranges::find_if(moving_, [](const auto& some) { return !some.empty(); });
    const bool any = world_.permits && moved != moving_.end();
    move_about(any ? static_cast<std::size_t>(moved - moving_.begin()) : some_pool());
  }
  void step() {
    std::vector<std::size_t> run;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      if (!model_.waits(thread)) run.push_back(thread);
    }
    if (run.empty() || below(12) == 0) return move_about();
    const auto thread = run[below(run.size())];
    const auto held = model_.held(thread).size();
    if (held == kHeldMax || (held > 0 && below(3) == 0)) return give_back(thread, below(held));
    borrow(thread, some_pool());
  }
  void expect_that_who_waits_goes_on_waiting() const {
    for (std::size_t thread = 0; thread < kThreads; ++thread)
      ASSERT_FALSE(model_.waits(thread) && puppets_[thread]->done()) << puppets_[thread]->code();
  }
  // Whoever runs gives back what it holds, until nobody waits and nothing is held.
  void end() {
    for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
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

  const World world_ = std::get<World>(GetParam());
  StubDriver driver_;
  std::optional<PoolGroup> group_;
  std::vector<std::unique_ptr<Pool>> pools_;
  Model model_{world_};
  std::vector<std::vector<Pool::Lease>> moving_{world_.sizes.size()};
  std::array<std::unique_ptr<Puppet>, kThreads> puppets_;
  std::minstd_rand random_{std::get<unsigned>(GetParam())};
  std::array<int, 3> count_{};  // by outcome
};

TEST_P(HoldAndWaitModel, RefusesExactlyTheWaitsThatWouldNeverEnd) {
  for (int i = 0; i < world_.steps && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    step();
    expect_that_who_waits_goes_on_waiting();
  }
  end();
  for (const auto count : count_) EXPECT_GT(count, world_.steps / 100);
  if (world_.permits) {
    EXPECT_LE(group_->stats().connections, *world_.permits);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, HoldAndWaitModel,
                         testing::Combine(testing::ValuesIn(worlds()), testing::Range(1U, 6U)),
                         [](const auto& instance) {
                           return std::get<World>(instance.param).name + "Seed" +
                                  std::to_string(std::get<unsigned>(instance.param));
                         });

}  // namespace
}  // namespace carrel::test
