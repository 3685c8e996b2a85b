#include "carrel/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace carrel::base {

void assertion_failed(std::string_view condition, std::string_view message,
                      const std::source_location& where) noexcept {
  std::fprintf(stderr, "carrel: assertion failed: %.*s\n  %.*s\n  at %s:%u in %s\n",
               static_cast<int>(condition.size()), condition.data(),
               static_cast<int>(message.size()), message.data(), where.file_name(), where.line(),
               where.function_name());
  std::fflush(stderr);
  std::abort();
}

}  // namespace carrel::base
