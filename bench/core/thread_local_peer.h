// ThreadLocal as a peer (forms.h says what that is): one for the program and for the library.
#pragma once

#include "bench/core/forms.h"
#include "carrel/local/thread_local.h"

namespace carrel::bench {

template <class T>
struct ThreadLocalPeer {
  using Variable = ThreadLocal<T>;
  static T* at(Word handle) { return &reinterpret_cast<Variable*>(handle)->get(); }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable); }
  static void fill(Variable& variable) { variable.set(T{}); }
  static void clear(Variable& variable) { variable.remove(); }
};

}  // namespace carrel::bench
