// What a variable costs besides access: coming and going, threads that end, memory.
//
// All take `variables` (how many others are alive) and `threads` (how many other threads each hold
// kHeld of them): that is where designs differ. Each case needs a process of its own, since freed
// memory and recycled numbers of one case change the next; bench/compare starts them so.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "bench/core/exit_clock.h"
#include "bench/core/forms.h"
#include "bench/core/idle_threads.h"
#include "bench/core/resident_memory.h"

namespace carrel::bench {

inline constexpr int kHeld = 8;

// Live variables of a peer; hold() makes the calling thread hold kHeld of them.
template <class Peer>
class LiveVariables {
 public:
  static constexpr int kValues = kHeld;

  explicit LiveVariables(std::size_t count)
      : count_(count), variables_(std::make_unique<typename Peer::Variable[]>(count)) {}

  // Spread over all of them (the stride is prime), and others for other threads.
  void hold(std::size_t thread) {
    for (std::size_t i = 0; i < kHeld && i < count_; ++i) {
      Peer::fill(variables_[(thread * kHeld + i) * 7919 % count_]);
    }
  }

 private:
  std::size_t count_;
  std::unique_ptr<typename Peer::Variable[]> variables_;
};

// The control: the same threads with nothing to hold.
class NoVariables {
 public:
  static constexpr int kValues = 0;
  explicit NoVariables(std::size_t /*count*/) {}
  void hold(std::size_t /*thread*/) {}
};

// Live variables, and idle threads that hold kHeld of them each.
template <class Holder>
struct Population {
  Population(std::size_t variables, std::size_t threads)
      : live(variables), others(threads, [this](std::size_t thread) { live.hold(thread); }) {}

  Holder live;
  IdleThreads others;
};

enum class Fill { no, yes };

// Create and destroy; with Fill::yes one value, the calling thread's, in between.
template <class Peer, Fill fill>
void create_destroy_once() {
  typename Peer::Variable variable;
  if constexpr (fill == Fill::yes) Peer::fill(variable);
  consume(&variable);
}

template <class Peer, Fill fill>
void create_destroy(benchmark::State& state) {
  const Population<LiveVariables<Peer>> population(static_cast<std::size_t>(state.range(0)),
                                                   static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) create_destroy_once<Peer, fill>();
}

template <class Peer>
[[gnu::noinline]] void insert_remove_loop(typename Peer::Variable& variable) {
  for (std::size_t left = kBatch; left != 0; --left) {
    Peer::fill(variable);
    Peer::clear(variable);
    asm volatile("" : : : "memory");
  }
}

// A thread that inserts and removes from run() until pause(), and is idle otherwise.
template <class Peer>
class Rival {
 public:
  explicit Rival(typename Peer::Variable& variable)
      : thread_([this, &variable](const std::stop_token& stop) { work(stop, variable); }) {
    pause();
  }
  ~Rival() {
    thread_.request_stop();
    run();
  }
  Rival(const Rival&) = delete;
  Rival& operator=(const Rival&) = delete;

  // Returns when the thread is at it. A second call of either does nothing.
  void run() { order(true); }
  void pause() { order(false); }

 private:
  void order(bool running) {
    wanted_ = running;
    wanted_.notify_one();
    while (running_.load() != running) std::this_thread::yield();
  }
  void work(const std::stop_token& stop, typename Peer::Variable& variable) {
    while (!stop.stop_requested()) {
      insert_remove_loop<Peer>(variable);
      if (wanted_.load(std::memory_order_relaxed)) continue;
      running_ = false;
      wanted_.wait(false);
      running_ = true;
    }
    running_ = true;
  }

  std::atomic<bool> wanted_{true};
  std::atomic<bool> running_{true};
  std::jthread thread_;  // last: it uses the others
};

// One value comes and goes. With two threads, the other does the same all the while, on the same
// variable or on one of its own; the figure is the first one's.
enum class Second { none, same_variable, own_variable };

template <class Peer>
void insert_remove(benchmark::State& state, Second second) {
  typename Peer::Variable variable;
  typename Peer::Variable apart;
  std::optional<Rival<Peer>> rival;
  if (second != Second::none) {
    rival.emplace(second == Second::same_variable ? variable : apart);
    rival->run();
  }
  while (state.KeepRunningBatch(kBatch)) insert_remove_loop<Peer>(variable);
}

template <class Peer>
Sample insert_remove_sample(Second second) {
  struct Case {
    typename Peer::Variable variable;
    typename Peer::Variable apart;
    std::optional<Rival<Peer>> rival;
  };
  const auto held = std::make_shared<Case>();
  const auto batch = [held] { insert_remove_loop<Peer>(held->variable); };
  if (second == Second::none) return timed(kBatch, batch);
  held->rival.emplace(second == Second::same_variable ? held->variable : held->apart);
  return [held, alone = timed(kBatch, batch)] {
    held->rival->run();
    const double ns = alone();
    held->rival->pause();
    return ns;
  };
}

template <class Holder>
class ExitCase {
 public:
  ExitCase(std::size_t variables, std::size_t threads)
      : population_(variables, threads), threads_(threads) {
    hold();  // before the clock is made: see there
    clock_.emplace(Holder::kValues);
  }
  // Of one thread.
  [[nodiscard]] double measure() {
    return clock_->measure([this] { hold(); });
  }

 private:
  void hold() { population_.live.hold(threads_); }

  Population<Holder> population_;
  std::size_t threads_;
  std::optional<ExitClock> clock_;
};

// The median over many threads: a thread's end is disturbed too often for a mean.
template <class Holder>
void thread_exit(benchmark::State& state) {
  constexpr int kSamples = 1000;
  ExitCase<Holder> exit(static_cast<std::size_t>(state.range(0)),
                        static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    std::vector<double> samples(kSamples);
    for (double& ns : samples) ns = exit.measure();
    std::nth_element(samples.begin(), samples.begin() + kSamples / 2, samples.end());
    state.SetIterationTime(samples[kSamples / 2] * 1e-9);
  }
}

// Resident bytes that `threads` threads add by holding kHeld values each, over the same threads
// when they had only used malloc and their stacks: in the first generation of threads, and in the
// eighth (still over the first one's idle state: what is not given back is counted).
template <class Holder>
void memory(benchmark::State& state) {
  constexpr int kGenerations = 8;
  refuse_huge_pages();
  Holder live(static_cast<std::size_t>(state.range(0)));
  const auto threads = static_cast<std::size_t>(state.range(1));
  std::size_t idle = 0;
  double first = 0;
  double last = 0;
  for (auto _ : state) {
    for (int generation = 0; generation < kGenerations; ++generation) {
      std::barrier phase(static_cast<std::ptrdiff_t>(threads) + 1);
      std::vector<std::jthread> gang;
      for (std::size_t thread = 0; thread < threads; ++thread) {
        gang.emplace_back([&live, &phase, thread] {
          use_heap_and_stack();
          phase.arrive_and_wait();  // idle
          phase.arrive_and_wait();
          live.hold(thread);
          phase.arrive_and_wait();  // holding
          phase.arrive_and_wait();
        });
      }
      phase.arrive_and_wait();
      if (generation == 0) idle = resident_anonymous_bytes();
      phase.arrive_and_wait();
      phase.arrive_and_wait();
      last = (static_cast<double>(resident_anonymous_bytes()) - static_cast<double>(idle)) /
             static_cast<double>(threads);
      if (generation == 0) first = last;
      phase.arrive_and_wait();
    }
    state.SetIterationTime(1e-9);  // bytes are the result, not time
  }
  state.counters["bytes_per_thread_first"] = first;
  state.counters["bytes_per_thread"] = last;
}

template <class Holder>
void register_memory(const std::string& name) {
  benchmark::RegisterBenchmark((name + "_Memory").c_str(), &memory<Holder>)
      ->ArgNames({"variables", "threads"})
      ->ArgsProduct({{100, 10'000}, {8, 64}})
      ->UseManualTime()
      ->Iterations(1);
}

template <class Holder>
void register_exit(const std::string& name) {
  benchmark::RegisterBenchmark((name + "_ThreadExit").c_str(), &thread_exit<Holder>)
      ->ArgNames({"variables", "threads"})
      ->ArgsProduct({{100, 10'000}, {1, 64}})
      ->UseManualTime()
      ->Iterations(1);
  offer(name + "_ThreadExit/variables:10000/threads:64", [] {
    const auto exit = std::make_shared<ExitCase<Holder>>(10'000, 64);
    return [exit] { return exit->measure(); };
  });
}

template <class Peer>
void register_create(const std::string& name) {
  const auto add = [&](const char* family, void (*run)(benchmark::State&)) {
    benchmark::RegisterBenchmark((name + family).c_str(), run)
        ->ArgNames({"variables", "threads"})
        ->ArgsProduct({{0, 10'000}, {1, 64}});
  };
  add("_CreateDestroy", &create_destroy<Peer, Fill::no>);
  add("_CreateSetDestroy", &create_destroy<Peer, Fill::yes>);
  offer(name + "_CreateSetDestroy/variables:0/threads:1", [] {
    const auto population = std::make_shared<Population<LiveVariables<Peer>>>(0, 1);
    return timed(kBatch, [population] {
      for (std::size_t left = kBatch; left != 0; --left) create_destroy_once<Peer, Fill::yes>();
    });
  });
}

template <class Peer>
void register_insert_remove(const std::string& name) {
  const auto add = [&](const char* family, Second second) {
    benchmark::RegisterBenchmark((name + family).c_str(), &insert_remove<Peer>, second);
    offer(name + family, [second] { return insert_remove_sample<Peer>(second); });
  };
  add("_InsertRemove/threads:1", Second::none);
  add("_InsertRemove/threads:2", Second::same_variable);
  add("_InsertRemoveApart/threads:2", Second::own_variable);
}

}  // namespace carrel::bench
