// The end of a thread's values.
#pragma once

#include "carrel/local/internal/thread_block.h"

namespace carrel::local {

// Destroys all values of this thread in reverse order of their first initialisation, in rounds.
void end_thread(ThreadBlock& self) noexcept;

}  // namespace carrel::local
