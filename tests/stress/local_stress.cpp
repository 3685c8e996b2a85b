// local_stress: random use of thread-locals by many threads, checked against a model.
//
//   local_stress --seconds 5 --seed 1 --threads 8 --variables 64
//   local_stress --exit-rounds 10000     256 threads end while their variable dies, so many times
//
// Threads come and go, and meanwhile make, change, bind, remove and visit values, make and destroy
// variables, inspect and fork. Each thread keeps a model of what it holds: a value that is not as
// the model says, that lives when it should not or is destroyed twice stops the program.
// Destructors touch other variables. The seed decides what each thread does, not how they
// interleave.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "carrel/base/assert.h"
#include "carrel/local/internal/audit.h"
#include "carrel/local/internal/inspect.h"
#include "carrel/local/thread_local.h"

namespace carrel {
namespace {

struct Options {
  double seconds = 3;
  std::uint64_t seed = 1;
  unsigned threads = 6;
  unsigned variables = 48;
  unsigned exit_rounds = 0;
};

constexpr std::uint64_t kAlive = 0x600d600d600d600dULL;
constexpr std::uint64_t kDead = 0xdeaddeaddeaddeadULL;
std::atomic<long> living{0};

class Stage;

// A value that knows whether it lives, and whose destructor uses other variables now and then.
struct Value {
  std::atomic<std::uint64_t> mark{kAlive};
  std::atomic<std::uint64_t> number{0};
  Stage* stage = nullptr;

  Value() { ++living; }
  explicit Value(std::uint64_t n, Stage* meddles_with = nullptr) : number(n), stage(meddles_with) {
    ++living;
  }
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  ~Value();
};

}  // namespace

template <>
inline constexpr bool is_concurrent<Value> = true;

namespace {

// What a thread holds, by variable: the variable's number (never used twice) and the value's.
struct Expected {
  std::uint64_t variable = 0;
  std::uint64_t number = 0;
};
using Model = std::map<std::size_t, Expected>;

// The model of this thread; null once it has ended and only its values' destructors run.
constinit thread_local Model* model = nullptr;

// A place for a variable. Whoever uses the variable holds the lock shared, whoever destroys it
// alone; threads end without any.
struct Place {
  std::shared_mutex mutex;
  std::unique_ptr<ThreadLocal<Value>> variable;
  std::uint64_t number = 0;
};

class Stage {
 public:
  explicit Stage(unsigned variables) : places_(variables) {
    for (Place& place : places_) renew(place);
  }

  Place& at(std::size_t index) { return places_[index]; }
  std::size_t size() const { return places_.size(); }
  void renew(Place& place) {
    place.variable.reset();
    const std::uint64_t number = ++last_number_;
    place.number = number;
    place.variable = std::make_unique<ThreadLocal<Value>>(
        ThreadLocalOptions<Value>{.name = "variable " + std::to_string(number),
                                  .reclaim = number % 5 == 0 ? Reclaim::owner : Reclaim::eager});
  }
  void clear() {
    for (Place& place : places_) place.variable.reset();
  }

  // Called by destructors: uses a variable that nobody is destroying.
  void meddle(std::uint64_t number) {
    const std::size_t index = number % places_.size();
    Place& place = places_[index];
    const std::shared_lock lock(place.mutex, std::try_to_lock);
    if (!lock.owns_lock() || place.variable == nullptr) return;
    place.variable->get().number = number;
    if (model != nullptr) (*model)[index] = {place.number, number};
  }

 private:
  std::vector<Place> places_;
  std::atomic<std::uint64_t> last_number_{0};
};

Value::~Value() {
  CARREL_ASSERT(mark.exchange(kDead) == kAlive, "a value was destroyed twice");
  --living;
  if (stage != nullptr) stage->meddle(number + 1);
}

class Actor {
 public:
  Actor(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) { model = &model_; }
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  ~Actor() { model = nullptr; }

  void act() {
    const std::size_t index = random_() % stage_.size();
    const auto what = static_cast<unsigned>(random_() % 1000);
    if (what < 8) return destroy(index);
    if (what < 9) return fork_and_check(index);
    if (what < 12) return static_cast<void>(local::inspect_threads());
    Place& place = stage_.at(index);
    const std::shared_lock lock(place.mutex);
    check(index, place);
    if (what < 400) {
      get(index, place);
    } else if (what < 600) {
      put(index, place);
    } else if (what < 900) {
      remove(index, place);
    } else {
      visit(place);
    }
  }

 private:
  // The value that the model says there is; nullptr if none, or if its variable has died.
  const Expected* expected(std::size_t index, const Place& place) const {
    const auto found = model_.find(index);
    return found == model_.end() || found->second.variable != place.number ? nullptr
                                                                           : &found->second;
  }
  void check(std::size_t index, const Place& place) const {
    const Value* const value = place.variable->peek();
    const Expected* const should = expected(index, place);
    CARREL_ASSERT((value != nullptr) == (should != nullptr), "a value is there or not, wrongly");
    if (value == nullptr) return;
    CARREL_ASSERT(value->mark == kAlive, "a dead value");
    CARREL_ASSERT(value->number == should->number, "another value");
  }
  void get(std::size_t index, const Place& place) {
    Value& value = place.variable->get();
    CARREL_ASSERT(value.mark == kAlive, "a dead value");
    value.number = ++last_;
    model_[index] = {place.number, last_};
  }
  void put(std::size_t index, const Place& place) {
    if (place.variable->peek() != nullptr) place.variable->remove();
    // The removed value's destructor may have put one.
    Value& value = place.variable->get();
    value.number = ++last_;
    value.stage = random_() % 8 == 0 ? &stage_ : nullptr;
    model_[index] = {place.number, last_};
  }
  void remove(std::size_t index, const Place& place) {
    const bool should = expected(index, place) != nullptr;
    model_.erase(index);
    CARREL_ASSERT(place.variable->remove() == should, "removed what was not there, or not");
  }
  void visit(const Place& place) const {
    place.variable->for_each_thread(
        [](const Value& value) { CARREL_ASSERT(value.mark == kAlive, "visits a dead value"); });
  }
  void destroy(std::size_t index) {
    Place& place = stage_.at(index);
    const std::unique_lock lock(place.mutex, std::try_to_lock);
    if (lock.owns_lock()) stage_.renew(place);
  }
  void fork_and_check(std::size_t index) {
    Place& place = stage_.at(index);
    const std::shared_lock lock(place.mutex);
    const pid_t child = fork();
    if (child == 0) {
      check(index, place);
      place.variable->remove();
      {
        const ThreadLocal<int> fresh;
        fresh.set(1);
      }
      visit(place);
      _exit(0);
    }
    int status = 0;
    CARREL_ASSERT(child > 0 && waitpid(child, &status, 0) == child, "no child");
    CARREL_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child found it otherwise");
  }

  Stage& stage_;
  std::mt19937_64 random_;
  Model model_;
  std::uint64_t last_ = 0;
};

// Lets one thread after another live for a while.
void keep_acting(Stage& stage, std::uint64_t seed, const std::atomic<bool>& stop,
                 std::atomic<std::uint64_t>& actions) {
  std::mt19937_64 random(seed);
  while (!stop) {
    std::thread([&stage, &stop, &actions, mine = random()] {
      Actor actor(stage, mine);
      const std::uint64_t lifetime = mine % 4000;
      for (std::uint64_t i = 0; i < lifetime && !stop; ++i) actor.act();
      actions += lifetime;
    }).join();
  }
}

// Threads that all hold a value of one variable end while it dies.
void end_threads_while_their_variable_dies(unsigned rounds) {
  constexpr int kThreads = 256;
  for (unsigned round = 0; round < rounds; ++round) {
    auto variable = std::make_unique<ThreadLocal<Value>>();
    std::barrier all_hold_one(kThreads + 1);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        variable->get();
        all_hold_one.arrive_and_wait();
      });
    }
    all_hold_one.arrive_and_wait();
    variable.reset();
    CARREL_ASSERT(living == 0, "a value has outlived its variable");
    for (std::thread& thread : threads) thread.join();
  }
  std::printf("%u rounds of %d threads: every value died once\n", rounds, kThreads);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const char* const value = argv[i + 1];
    if (name == "--seconds") options.seconds = std::atof(value);
    if (name == "--seed") options.seed = std::strtoull(value, nullptr, 10);
    if (name == "--threads") options.threads = static_cast<unsigned>(std::atoi(value));
    if (name == "--exit-rounds") options.exit_rounds = static_cast<unsigned>(std::atoi(value));
    if (name == "--variables") options.variables = static_cast<unsigned>(std::atoi(value));
  }
  return options;
}

int run(const Options& options) {
  std::printf("local_stress --seconds %g --seed %llu --threads %u --variables %u\n",
              options.seconds, static_cast<unsigned long long>(options.seed), options.threads,
              options.variables);
  std::fflush(stdout);
  const std::size_t abandoned = local::process_figures().abandoned;
  const std::size_t variables = local::process_figures().variables;
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> actions = 0;
  {
    Stage stage(options.variables);
    std::vector<std::thread> threads;
    std::mt19937_64 random(options.seed);
    for (unsigned i = 0; i < options.threads; ++i) {
      threads.emplace_back(
          [&stage, &stop, &actions, seed = random()] { keep_acting(stage, seed, stop, actions); });
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
    stop = true;
    for (std::thread& thread : threads) thread.join();
    stage.clear();
  }
  const local::ProcessFigures figures = local::process_figures();
  CARREL_ASSERT(living == 0, std::to_string(living) + " values outlive everything");
  CARREL_ASSERT(figures.variables == variables, "a slot was not given back");
  CARREL_ASSERT(figures.abandoned == abandoned, "a value was abandoned");
  CARREL_ASSERT(local::inspect_threads().size() <= 1, "a thread is still known");
  std::printf("%llu actions, %zu slots: all as the model says\n",
              static_cast<unsigned long long>(actions), figures.slots);
  return 0;
}

}  // namespace
}  // namespace carrel

int main(int argc, char** argv) {
  const carrel::Options options = carrel::parse(argc, argv);
  if (options.exit_rounds == 0) return carrel::run(options);
  carrel::end_threads_while_their_variable_dies(options.exit_rounds);
  return 0;
}
