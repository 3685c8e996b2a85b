// A function of the system's that this program has one of its own for.
#pragma once

#include <dlfcn.h>

#include <string>

namespace carrel::test {

// The one that this program would have without ours. Under a sanitizer that is the sanitizer's,
// which knows what libc guards by locks of its own.
template <class Function>
Function* the_systems(const char* name) {
  void* found = dlsym(RTLD_DEFAULT, (std::string("__interceptor_") + name).c_str());
  if (found == nullptr) found = dlsym(RTLD_NEXT, name);
  return reinterpret_cast<Function*>(found);
}

}  // namespace carrel::test
