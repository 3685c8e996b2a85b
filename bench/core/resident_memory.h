// Resident memory of this process, exactly: the kernel's cheap counter (/proc/self/statm) may lag
// by 64 pages a thread, so the page tables are walked.
#pragma once

#include <cstddef>

namespace carrel::bench {

// Bytes that are resident and not backed by a file: heap, stacks, thread blocks.
[[nodiscard]] std::size_t resident_anonymous_bytes();

// Keeps the kernel from backing the heap with 2 MiB pages, which would drown what is measured.
void refuse_huge_pages();

// What any thread of a server has done: allocated and freed, and used some of its stack.
void use_heap_and_stack();

}  // namespace carrel::bench
