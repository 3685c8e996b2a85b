// folly::ThreadLocal: a dense array a thread, indexed by the variable's number. Not packaged by
// Debian: built only where -DCARREL_FOLLY=PREFIX points to an installed build of it.
#include <benchmark/benchmark.h>
#include <folly/ThreadLocal.h>

#include "bench/core/exit_clock.h"
#include "bench/core/forms.h"
#include "bench/core/lifecycle.h"
#include "bench/core/peers.h"

namespace carrel::bench {
namespace {

template <class T>
struct FollyPeer {
  using Variable = folly::ThreadLocal<T>;
  static T* at(Word handle) { return reinterpret_cast<Variable*>(handle)->get(); }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable); }
  static void fill(Variable& variable) { variable.get(); }
  static void clear(Variable& variable) { variable.reset(); }
};

}  // namespace

void register_folly() {
  benchmark::AddCustomContext("folly", CARREL_BENCH_FOLLY);
  register_forms<FollyPeer<Counter>>("Folly_Get");
  register_rotating<FollyPeer<Counter>>("Folly_Get", 16);
  register_rotating<FollyPeer<Counter>>("Folly_Get", 1000);
  register_insert_remove<FollyPeer<Counter>>("Folly");
  register_create<FollyPeer<Counter>>("Folly");
  register_exit<LiveVariables<FollyPeer<ExitValue>>>("Folly");
  register_memory<LiveVariables<FollyPeer<Counter>>>("Folly");
}

}  // namespace carrel::bench
