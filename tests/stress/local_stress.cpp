// local_stress: random use of thread-locals by many threads, checked against a model.
//
//   local_stress --seconds 5 --seed 1 --threads 8 --variables 64
//   local_stress --exit-rounds 10000     256 threads end while their variable dies, so many times
//
// Threads come and go, and meanwhile make, change, set, bind, take, remove and visit values, make
// and destroy variables, inspect and fork. Bind guards stay open meanwhile, also over their
// variable's death. Each thread keeps a model of what it holds: a value that is not as the model
// says, that lives when it should not or is destroyed twice stops the program. Destructors and
// assignments touch other variables. The seed decides what each thread does, not how they
// interleave.
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "carrel/base/assert.h"
#include "carrel/local/internal/inspect.h"
#include "carrel/local/thread_local.h"
#include "stress/actor.h"
#include "stress/stage.h"

namespace carrel::stress {
namespace {

struct Options {
  double seconds = 3;
  std::uint64_t seed = 1;
  unsigned threads = 6;
  unsigned variables = 48;
  unsigned exit_rounds = 0;
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
    CARREL_ASSERT(Value::living == 0, "a value has outlived its variable");
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
  }
  const local::ProcessFigures figures = local::process_figures();
  CARREL_ASSERT(Value::living == 0, std::to_string(Value::living) + " values outlive everything");
  CARREL_ASSERT(figures.variables == variables, "a slot was not given back");
  CARREL_ASSERT(figures.abandoned == abandoned, "a value was abandoned");
  CARREL_ASSERT(local::inspect_threads().size() <= 1, "a thread is still known");
  std::printf("%llu actions, %zu slots: all as the model says\n",
              static_cast<unsigned long long>(actions), figures.slots);
  return 0;
}

}  // namespace
}  // namespace carrel::stress

int main(int argc, char** argv) {
  const carrel::stress::Options options = carrel::stress::parse(argc, argv);
  if (options.exit_rounds == 0) return carrel::stress::run(options);
  carrel::stress::end_threads_while_their_variable_dies(options.exit_rounds);
  return 0;
}
