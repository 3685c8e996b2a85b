// fork: the child keeps the forking thread's values and forgets those of all other threads, which
// may be half-written. No destructor runs for them; they count as abandoned.
#pragma once

namespace carrel::local {

// Once a process; later calls do nothing. Throws std::bad_alloc.
void install_fork_handlers();

}  // namespace carrel::local
