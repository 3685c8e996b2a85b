// Access loops: one `get`, measured in three forms.
//
//   pointer    the address only: what finding the value costs
//   increment  `++*address`: finding and using it, as a counter does
//   chain      each access depends on the last one's result: latency instead of throughput
//
// A figure below a nanosecond is easily a figure of nothing. What makes each of them real:
//  - The variable is unknown. A loop is a function of its own that is called through a pointer, and
//    sees a handle (a pointer, a key) in a register; `forget` makes the compiler forget before
//    every access what any memory holds, so that all there is to know of the variable is read anew.
//    The handle is only shown to that statement: had it to come out of it as a new one, gcc would
//    move it to and fro between registers, and a loop of seven instructions would have nine.
//  - The thread's address is not hoisted. No barrier in C++ says "this may be another thread now",
//    so bench/CMakeLists.txt turns gcc's loop-invariant motion off, and report/check_loops.py
//    looks for the thread register in the machine code of each loop.
//  - The chain depends. What is between a result and the next handle is a number that the compiler
//    does not know, and one subtraction; a native chain's is one `and` with a zero that it does not
//    know to be one (a plain `z &= 0` is folded away).
//  - The process has a second thread: glibc skips atomic instructions in a process of one, and a
//    mutex would show 3 ns instead of 11. See IdleThreads.
//
// A peer is a type with
//   Variable            default-constructible: one variable, as its users declare it
//   at(Word)            the access; the word is what handle() gave
//   handle(Variable&)   the variable as a word
//   fill(Variable&)     makes the calling thread's value
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/core/paired.h"

namespace carrel::bench {

using Word = std::uintptr_t;
using Counter = std::uint64_t;

inline constexpr std::size_t kBatch = 1024;

template <class T>
void launder(T& value) {
  asm volatile("" : "+r"(value) : : "memory");
}

template <class T>
void consume(T value) {
  asm volatile("" : : "r"(value) : "memory");
}

inline void forget(Word handle) {
  asm volatile("" : : "r"(handle) : "memory");
}

inline Word unknown_zero() {
  Word zero = 0;
  launder(zero);
  return zero;
}

// Out of line, each loop under a name of its own that check_loops.py finds.
template <class Peer>
[[gnu::noinline]] void pointer_loop(Word handle) {
  for (std::size_t left = kBatch; left != 0; --left) {
    forget(handle);
    consume(Peer::at(handle));
  }
}

template <class Peer>
[[gnu::noinline]] void increment_loop(Word handle) {
  for (std::size_t left = kBatch; left != 0; --left) {
    forget(handle);
    ++*Peer::at(handle);
  }
}

// The result is the address; the value behind it is not read, so that this is the latency of
// finding it.
template <class Peer>
[[gnu::noinline]] void chain_loop(Word handle) {
  Word distance = reinterpret_cast<Word>(Peer::at(handle)) - handle;
  launder(distance);
  for (std::size_t left = kBatch; left != 0; --left) {
    forget(handle);
    handle = reinterpret_cast<Word>(Peer::at(handle)) - distance;
  }
}

// A native variable's address is the thread's plus a constant, and depends on nothing: its chain
// goes through the value, so that both chains are chains of loads.
template <class Peer>
[[gnu::noinline]] void native_chain_loop(Word offset) {
  const Word mask = unknown_zero();
  for (std::size_t left = kBatch; left != 0; --left) {
    launder(offset);
    offset = *reinterpret_cast<Counter*>(reinterpret_cast<char*>(Peer::at(0)) + offset) & mask;
  }
}

using Loop = void (*)(Word handle);

struct Forms {
  Loop pointer, increment, chain;
};

template <class Peer>
Forms forms_of() {
  return {&pointer_loop<Peer>, &increment_loop<Peer>, &chain_loop<Peer>};
}

template <class Peer>
Forms native_forms_of() {
  return {&pointer_loop<Peer>, &increment_loop<Peer>, &native_chain_loop<Peer>};
}

template <class Peer>
void run_loop(benchmark::State& state, Loop loop) {
  typename Peer::Variable variable;
  Peer::fill(variable);
  const Word handle = Peer::handle(variable);
  while (state.KeepRunningBatch(kBatch)) loop(handle);
}

template <class Peer>
void register_loop(const std::string& name, Loop loop) {
  benchmark::RegisterBenchmark(name.c_str(), &run_loop<Peer>, loop);
  offer(name, [loop] {
    const auto variable = std::make_shared<typename Peer::Variable>();
    Peer::fill(*variable);
    return timed(kBatch, [variable, loop] { loop(Peer::handle(*variable)); });
  });
}

template <class Peer>
void register_forms(const std::string& name, Forms forms = forms_of<Peer>()) {
  register_loop<Peer>(name + "/pointer", forms.pointer);
  register_loop<Peer>(name + "/increment", forms.increment);
  register_loop<Peer>(name + "/chain", forms.chain);
}

// increment while another thread does the same on the same variable; the figure is the first one's.
template <class Peer>
void run_contended(benchmark::State& state, Loop loop) {
  typename Peer::Variable variable;
  Peer::fill(variable);
  const Word handle = Peer::handle(variable);
  std::atomic<bool> stop{false};
  std::jthread rival([&] {
    while (!stop.load(std::memory_order_relaxed)) loop(handle);
  });
  while (state.KeepRunningBatch(kBatch)) loop(handle);
  stop = true;
}

template <class Peer>
void register_contended(const std::string& name) {
  benchmark::RegisterBenchmark((name + "/increment/threads:2").c_str(), &run_contended<Peer>,
                               &increment_loop<Peer>);
}

// The same with many variables in turn, all of them held by the thread. Reading the next handle
// from a list costs every peer the same.
template <class Peer>
[[gnu::noinline]] void rotating_pointer_loop(const Word* next, std::size_t count) {
  for (const Word* end = next + count; next != end; ++next) consume(Peer::at(*next));
}

template <class Peer>
[[gnu::noinline]] void rotating_increment_loop(const Word* next, std::size_t count) {
  for (const Word* end = next + count; next != end; ++next) {
    ++*Peer::at(*next);
    asm volatile("" : : : "memory");
  }
}

template <class Peer>
[[gnu::noinline]] void rotating_chain_loop(const Word* next, std::size_t count) {
  const Word mask = unknown_zero();
  Word last = 0;
  for (const Word* end = next + count; next != end; ++next) {
    last = reinterpret_cast<Word>(Peer::at(*next + last)) & mask;
    launder(last);
  }
}

using RotatingLoop = void (*)(const Word* handles, std::size_t count);

// So many variables that this thread holds values of, and a random order to use them in.
template <class Peer>
class Rotation {
 public:
  explicit Rotation(std::size_t variables)
      : held_(std::make_unique<typename Peer::Variable[]>(variables)),
        order_(variables),
        passes_(std::max<std::size_t>(1, kBatch / variables)) {
    for (std::size_t i = 0; i < variables; ++i) {
      Peer::fill(held_[i]);
      order_[i] = Peer::handle(held_[i]);
    }
    std::shuffle(order_.begin(), order_.end(), std::mt19937(20240611));
  }

  [[nodiscard]] std::size_t accesses() const { return passes_ * order_.size(); }
  void run(RotatingLoop loop) const {
    for (std::size_t pass = 0; pass < passes_; ++pass) loop(order_.data(), order_.size());
  }

 private:
  std::unique_ptr<typename Peer::Variable[]> held_;
  std::vector<Word> order_;
  std::size_t passes_;
};

template <class Peer>
void run_rotating_loop(benchmark::State& state, RotatingLoop loop, std::size_t variables) {
  const Rotation<Peer> rotation(variables);
  while (state.KeepRunningBatch(static_cast<std::int64_t>(rotation.accesses()))) rotation.run(loop);
}

// `name` ends in the number of variables: ThreadLocal_Get_Rotating16.
template <class Peer>
void register_rotating(const std::string& name, std::size_t variables) {
  const auto add = [&](const char* form, RotatingLoop loop) {
    const std::string full = name + "_Rotating" + std::to_string(variables) + form;
    benchmark::RegisterBenchmark(full.c_str(), &run_rotating_loop<Peer>, loop, variables);
    offer(full, [loop, variables] {
      const auto rotation = std::make_shared<Rotation<Peer>>(variables);
      return timed(rotation->accesses(), [rotation, loop] { rotation->run(loop); });
    });
  };
  add("/pointer", &rotating_pointer_loop<Peer>);
  add("/increment", &rotating_increment_loop<Peer>);
  add("/chain", &rotating_chain_loop<Peer>);
}

}  // namespace carrel::bench
