#include <dlfcn.h>

#include "carrel/local/internal/variable.h"

namespace carrel::local {

void pin_library_of(const void* address) noexcept {
  Dl_info found{};
  if (address == nullptr || dladdr(address, &found) == 0 || found.dli_fname == nullptr) return;
  // The handle is never closed, which is the point. The program itself is not found by its name,
  // and stays anyway.
  static_cast<void>(dlopen(found.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
}

}  // namespace carrel::local
