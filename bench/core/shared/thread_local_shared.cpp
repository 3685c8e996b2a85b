#include "bench/core/shared/loops.h"
#include "bench/core/thread_local_peer.h"

namespace carrel::bench::shared {
namespace {

// A type of its own: with that of thread_local.cpp the linker would take the program's loops.
struct ThreadLocalSharedPeer : ThreadLocalPeer<Counter> {};

}  // namespace

ThreadLocalCase::ThreadLocalCase() : variable_(new ThreadLocalSharedPeer::Variable) {
  ThreadLocalSharedPeer::fill(*static_cast<ThreadLocalSharedPeer::Variable*>(variable_));
}

ThreadLocalCase::~ThreadLocalCase() {
  delete static_cast<ThreadLocalSharedPeer::Variable*>(variable_);
}

Word ThreadLocalCase::handle() const {
  return reinterpret_cast<Word>(variable_);
}

Forms ThreadLocalCase::forms() {
  return forms_of<ThreadLocalSharedPeer>();
}

}  // namespace carrel::bench::shared
