// POSIX: pthread_getspecific, the floor of every library that keeps its map behind a key.
#include <pthread.h>

#include "bench/core/exit_clock.h"
#include "bench/core/forms.h"
#include "bench/core/lifecycle.h"
#include "bench/core/peers.h"
#include "carrel/base/assert.h"

namespace carrel::bench {
namespace {

template <class T>
class PthreadKey {
 public:
  PthreadKey() {
    const auto destroy = [](void* value) { delete static_cast<T*>(value); };
    CARREL_ASSERT(pthread_key_create(&key_, destroy) == 0, "no pthread key is left");
  }
  ~PthreadKey() {
    clear();
    pthread_key_delete(key_);
  }
  PthreadKey(const PthreadKey&) = delete;
  PthreadKey& operator=(const PthreadKey&) = delete;

  void fill() {
    if (pthread_getspecific(key_) == nullptr) pthread_setspecific(key_, new T{});
  }
  void clear() {
    delete static_cast<T*>(pthread_getspecific(key_));
    pthread_setspecific(key_, nullptr);
  }
  [[nodiscard]] pthread_key_t key() const { return key_; }

 private:
  pthread_key_t key_{};
};

template <class T>
struct PthreadPeer {
  using Variable = PthreadKey<T>;
  // The key is read from the variable, as with every peer: it is no constant of the program.
  static T* at(Word handle) {
    return static_cast<T*>(pthread_getspecific(reinterpret_cast<const Variable*>(handle)->key()));
  }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable); }
  static void fill(Variable& variable) { variable.fill(); }
  static void clear(Variable& variable) { variable.clear(); }
};

}  // namespace

// No case with ten thousand variables: there are 1,024 keys in a process.
void register_pthread_key() {
  register_forms<PthreadPeer<Counter>>("Pthread_Get");
  register_rotating<PthreadPeer<Counter>>("Pthread_Get", 16);
  register_insert_remove<PthreadPeer<Counter>>("Pthread");
}

}  // namespace carrel::bench
