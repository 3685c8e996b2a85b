#include "bench/core/shared/loops.h"

namespace carrel::bench::shared {

// constinit: without it every access would first call the variable's initialisation wrapper.
extern thread_local constinit Counter native_counter;

namespace {

struct NativeSharedPeer {
  static Counter* at(Word /*handle*/) { return &native_counter; }
};

}  // namespace

Forms native_forms() {
  return native_forms_of<NativeSharedPeer>();
}

}  // namespace carrel::bench::shared
