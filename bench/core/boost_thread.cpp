// Boost.Thread: a map from variable to value behind a thread-local pointer, one node a value.
#include <benchmark/benchmark.h>

#include <boost/thread/tss.hpp>
#include <boost/version.hpp>

#include "bench/core/exit_clock.h"
#include "bench/core/forms.h"
#include "bench/core/lifecycle.h"
#include "bench/core/peers.h"

namespace carrel::bench {
namespace {

template <class T>
struct BoostPeer {
  using Variable = boost::thread_specific_ptr<T>;
  static T* at(Word handle) { return reinterpret_cast<Variable*>(handle)->get(); }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable); }
  static void fill(Variable& variable) {
    if (variable.get() == nullptr) variable.reset(new T{});
  }
  static void clear(Variable& variable) { variable.reset(); }
};

}  // namespace

void register_boost() {
  benchmark::AddCustomContext("boost", BOOST_LIB_VERSION);
  register_forms<BoostPeer<Counter>>("Boost_Get");
  register_rotating<BoostPeer<Counter>>("Boost_Get", 16);
  register_rotating<BoostPeer<Counter>>("Boost_Get", 1000);
  register_insert_remove<BoostPeer<Counter>>("Boost");
  register_create<BoostPeer<Counter>>("Boost");
  register_exit<LiveVariables<BoostPeer<ExitValue>>>("Boost");
  register_memory<LiveVariables<BoostPeer<Counter>>>("Boost");
}

}  // namespace carrel::bench
