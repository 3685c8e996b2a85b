// oneTBB: enumerable_thread_specific (a hash table a variable, or a pthread key a variable), and
// concurrent_hash_map from thread to value.
//
// TBB destroys values with the variable only and cannot remove one thread's: it has no exit and no
// insert-and-remove figures.
#include <benchmark/benchmark.h>
#include <oneapi/tbb/concurrent_hash_map.h>
#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/version.h>
#include <pthread.h>

#include "bench/core/forms.h"
#include "bench/core/lifecycle.h"
#include "bench/core/peers.h"

namespace carrel::bench {
namespace {

template <class Specific>
struct TbbPeer {
  using Variable = Specific;
  static Counter* at(Word handle) { return &reinterpret_cast<Variable*>(handle)->local(); }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable); }
  static void fill(Variable& variable) { variable.local() = 0; }
};

using HashPeer = TbbPeer<tbb::enumerable_thread_specific<Counter>>;
using KeyPeer =
    TbbPeer<tbb::enumerable_thread_specific<Counter, tbb::cache_aligned_allocator<Counter>,
                                            tbb::ets_key_per_instance>>;

class ConcurrentMap {
 public:
  Counter* mine() {
    Map::const_accessor place;
    if (values_.find(place, pthread_self())) return place->second.get();
    values_.insert(place, {pthread_self(), std::make_shared<Counter>(0)});
    return place->second.get();
  }

 private:
  // By pointer, since an element may only be changed under its lock.
  using Map = tbb::concurrent_hash_map<pthread_t, std::shared_ptr<Counter>>;
  Map values_;
};

struct ConcurrentMapPeer {
  using Variable = ConcurrentMap;
  static Counter* at(Word handle) { return reinterpret_cast<ConcurrentMap*>(handle)->mine(); }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable); }
  static void fill(Variable& variable) { variable.mine(); }
};

}  // namespace

void register_tbb() {
  benchmark::AddCustomContext("tbb", TBB_VERSION_STRING);
  register_forms<HashPeer>("Tbb_Get");
  register_rotating<HashPeer>("Tbb_Get", 16);
  register_rotating<HashPeer>("Tbb_Get", 1000);
  register_forms<KeyPeer>("TbbKeyPerInstance_Get");
  register_rotating<KeyPeer>("TbbKeyPerInstance_Get", 16);
  register_forms<ConcurrentMapPeer>("ConcurrentMap_Get");
  register_contended<ConcurrentMapPeer>("ConcurrentMap_Get");
  register_create<HashPeer>("Tbb");
  register_memory<LiveVariables<HashPeer>>("Tbb");
}

}  // namespace carrel::bench
