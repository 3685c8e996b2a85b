// What is written without thread-locals: one map from thread to value, behind a mutex.
#include <mutex>
#include <thread>
#include <unordered_map>

#include "bench/core/forms.h"
#include "bench/core/peers.h"

namespace carrel::bench {
namespace {

class MutexMap {
 public:
  Counter* mine() {
    const std::lock_guard lock(mutex_);
    return &values_[std::this_thread::get_id()];
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::thread::id, Counter> values_;  // guarded by mutex_
};

struct MutexMapPeer {
  using Variable = MutexMap;
  static Counter* at(Word handle) { return reinterpret_cast<MutexMap*>(handle)->mine(); }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable); }
  static void fill(Variable& variable) { variable.mine(); }
};

}  // namespace

void register_mutex_map() {
  register_forms<MutexMapPeer>("MutexMap_Get");
  register_contended<MutexMapPeer>("MutexMap_Get");
}

}  // namespace carrel::bench
