// The same accesses through a shared library: global-dynamic thread storage, no constant offset.
#include "bench/core/forms.h"
#include "bench/core/peers.h"
#include "bench/core/shared/loops.h"

namespace carrel::bench {
namespace {

struct NativeSharedPeer {
  struct Variable {};
  static Word handle(Variable& /*variable*/) { return 0; }
  static void fill(Variable& /*variable*/) {}
};

struct ThreadLocalSharedPeer {
  using Variable = shared::ThreadLocalCase;
  static Word handle(Variable& variable) { return variable.handle(); }
  static void fill(Variable& /*variable*/) {}
};

}  // namespace

void register_shared_library() {
  register_forms<NativeSharedPeer>("NativeShared_Get", shared::native_forms());
  register_forms<ThreadLocalSharedPeer>("ThreadLocalShared_Get", shared::ThreadLocalCase::forms());
}

}  // namespace carrel::bench
