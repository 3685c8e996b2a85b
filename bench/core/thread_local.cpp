// carrel::ThreadLocal, compiled into the program.
#include "carrel/local/thread_local.h"

#include "bench/core/exit_clock.h"
#include "bench/core/forms.h"
#include "bench/core/lifecycle.h"
#include "bench/core/peers.h"
#include "bench/core/thread_local_peer.h"

namespace carrel::bench {
namespace {

using Peer = ThreadLocalPeer<Counter>;

[[gnu::noinline]] void thread_local_set_loop(Word handle) {
  for (Counter value = kBatch; value != 0; --value) {
    forget(handle);
    reinterpret_cast<Peer::Variable*>(handle)->set(value);
  }
}

}  // namespace

void register_thread_local() {
  register_forms<Peer>("ThreadLocal_Get");
  register_rotating<Peer>("ThreadLocal_Get", 16);
  register_rotating<Peer>("ThreadLocal_Get", 1000);
  register_loop<Peer>("ThreadLocal_Set", &thread_local_set_loop);
  register_insert_remove<Peer>("ThreadLocal");
  register_create<Peer>("ThreadLocal");
  register_exit<LiveVariables<ThreadLocalPeer<ExitValue>>>("ThreadLocal");
  register_memory<LiveVariables<Peer>>("ThreadLocal");
}

}  // namespace carrel::bench
