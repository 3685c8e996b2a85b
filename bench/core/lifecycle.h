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

enum class Fill { no, yes };

// Create and destroy; with Fill::yes one value, the calling thread's, in between.
template <class Peer, Fill fill>
void create_destroy(benchmark::State& state) {
  LiveVariables<Peer> live(static_cast<std::size_t>(state.range(0)));
  IdleThreads others(static_cast<std::size_t>(state.range(1)),
                     [&](std::size_t thread) { live.hold(thread); });
  for (auto _ : state) {
    typename Peer::Variable variable;
    if constexpr (fill == Fill::yes) Peer::fill(variable);
    consume(&variable);
  }
}

template <class Peer>
[[gnu::noinline]] void insert_remove_loop(typename Peer::Variable& variable) {
  for (std::size_t left = kBatch; left != 0; --left) {
    Peer::fill(variable);
    Peer::clear(variable);
    asm volatile("" : : : "memory");
  }
}

// One value comes and goes. With two threads, the other does the same on the same variable all the
// while; the figure is the first one's.
template <class Peer>
void insert_remove(benchmark::State& state, int threads) {
  typename Peer::Variable variable;
  std::atomic<bool> stop{false};
  std::vector<std::jthread> rivals;
  for (int i = 1; i < threads; ++i) {
    rivals.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) insert_remove_loop<Peer>(variable);
    });
  }
  while (state.KeepRunningBatch(kBatch)) insert_remove_loop<Peer>(variable);
  stop = true;
  rivals.clear();
}

// The median over many threads: a thread's end is disturbed too often for a mean.
template <class Holder>
void thread_exit(benchmark::State& state) {
  constexpr int kSamples = 1000;
  Holder live(static_cast<std::size_t>(state.range(0)));
  const auto threads = static_cast<std::size_t>(state.range(1));
  IdleThreads others(threads, [&](std::size_t thread) { live.hold(thread); });
  live.hold(threads);
  ExitClock clock(Holder::kValues);
  for (auto _ : state) {
    std::vector<double> samples(kSamples);
    for (double& ns : samples) ns = clock.measure([&] { live.hold(threads); });
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
}

template <class Peer>
void register_insert_remove(const std::string& name) {
  for (const int threads : {1, 2}) {
    const std::string full = name + "_InsertRemove/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(full.c_str(), &insert_remove<Peer>, threads);
  }
}

}  // namespace carrel::bench
