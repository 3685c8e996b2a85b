// What the audit does where there is no memory for records. Internal to the library.
#pragma once

#include <cstddef>

#include "carrel/local/internal/audit.h"

namespace carrel::local {

// How many values values_since() would record. Allocates nothing.
[[nodiscard]] std::size_t count_since(AuditMark mark) noexcept;

// Removes them, newest first, and returns how many that were. Allocates nothing, but for what the
// values' destructors do; what those leave in turn is removed as well, in eight rounds. What comes
// back even then stays, for count_since() to tell.
std::size_t remove_since(AuditMark mark) noexcept;

}  // namespace carrel::local
