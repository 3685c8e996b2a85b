// The measure of all: the language's own thread_local, and an atomic that all threads share.
#include <atomic>

#include "bench/core/exit_clock.h"
#include "bench/core/forms.h"
#include "bench/core/lifecycle.h"
#include "bench/core/peers.h"

namespace carrel::bench {
namespace {

constinit thread_local Counter native_counter = 0;

struct NativePeer {
  struct Variable {};
  static Counter* at(Word /*handle*/) { return &native_counter; }
  static Word handle(Variable& /*variable*/) { return 0; }
  static void fill(Variable& /*variable*/) { native_counter = 0; }
};

[[gnu::noinline]] void native_set_loop() {
  for (Counter value = kBatch; value != 0; --value) {
    native_counter = value;
    asm volatile("" : : : "memory");
  }
}

void native_set(benchmark::State& state) {
  while (state.KeepRunningBatch(kBatch)) native_set_loop();
}

[[gnu::noinline]] void atomic_add_loop(std::atomic<Counter>& counter) {
  for (std::size_t left = kBatch; left != 0; --left) {
    counter.fetch_add(1, std::memory_order_relaxed);  // nothing is ordered by a counter
  }
}

void atomic_add(benchmark::State& state) {
  std::atomic<Counter> counter{0};
  while (state.KeepRunningBatch(kBatch)) atomic_add_loop(counter);
}

thread_local ExitValue value_0, value_1, value_2, value_3, value_4, value_5, value_6, value_7;

// Eight thread_locals with a destructor; there is no way to have ten thousand of which a thread
// holds eight.
class NativeVariables {
 public:
  static constexpr int kValues = kHeld;
  explicit NativeVariables(std::size_t /*count*/) {}
  void hold(std::size_t /*thread*/) {
    for (ExitValue* value :
         {&value_0, &value_1, &value_2, &value_3, &value_4, &value_5, &value_6, &value_7}) {
      ++value->count;
    }
  }
};

}  // namespace

void register_native() {
  register_forms<NativePeer>("Native_Get", native_forms_of<NativePeer>());
  benchmark::RegisterBenchmark("Native_Set", &native_set);
  benchmark::RegisterBenchmark("Atomic_Add", &atomic_add);
  register_exit<NativeVariables>("Native");
  register_exit<NoVariables>("Nothing");
  register_memory<NativeVariables>("Native");
  register_memory<NoVariables>("Nothing");
}

}  // namespace carrel::bench
