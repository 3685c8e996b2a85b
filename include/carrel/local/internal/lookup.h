// Looking a value up in this thread's map: the path that every access takes. Internal to the local
// layer.
//
// A hit in the first level is, on x86-64 and where the program contains the thread's block itself,
//
//   mov    (variable),%rax            the key
//   movzbl %al,%edx                   its lowest byte: where its entry is
//   cmp    %fs:block(%rdx),%rax       is it there?
//   jne    ...
//   mov    %fs:block+8(%rdx),%rax     the value's address
//
// Three loads; C++ needs five, since it has no way to say "relative to the thread" other than to
// load the thread's address first (gcc's named address spaces are C only). Hence the assembler
// statements. They are volatile (asm goto always is): the compiler neither reuses the result of an
// earlier one, nor keeps the thread's address, so that a coroutine which goes on on another thread
// looks into that thread's map. The sanitizers do not see these two loads; they are of memory that
// only its own thread touches. docs/adr/0003 has the figures.
//
// The offset is a constant for the linker only if program and block are linked together: the code
// is not position-independent, or is so for a program (-fPIE), and the library is static, which its
// CMake target and its pkg-config file say by CARREL_LOCAL_STATIC. Everywhere else, in a plug-in
// for instance, the same is written in C++.
//
// A program that finds the block in a shared library which has the static library in it does not
// link then (R_X86_64_TPOFF32). Compile such a program with CARREL_LOCAL_DYNAMIC: it gets the C++
// form.
#pragma once

#include <cstdint>

#include "carrel/local/internal/key.h"
#include "carrel/local/internal/thread_block.h"

namespace carrel::local {

// The value if the first level has it, else nullptr.
[[nodiscard]] [[gnu::always_inline]] inline void* lookup_first(Key key) noexcept {
#ifdef CARREL_LOCAL_OFFSET_IS_CONSTANT
  const std::uint64_t offset = key.first_offset();
  void* value = nullptr;
  // A jump of its own: where the compiler makes one of a flag, gcc likes to jump on the hit.
  // In both dialects, for programs that are compiled with -masm=intel.
  asm goto(
      "{cmpq %%fs:carrel_local_thread_block@tpoff(%1), %0"
      "|cmp %0, QWORD PTR fs:carrel_local_thread_block@tpoff[%1]}\n\t"
      "jne %l[miss]"
      :
      : "r"(key.bits), "r"(offset)
      : "cc"
      : miss);
  asm volatile(
      "{movq %%fs:carrel_local_thread_block@tpoff+8(%1), %0"
      "|mov %0, QWORD PTR fs:carrel_local_thread_block@tpoff[%1+8]}"
      : "=r"(value)
      : "r"(offset));
  // An entry with a key has a value, so that callers need not ask.
  if (value == nullptr) __builtin_unreachable();
  return value;
miss:
  return nullptr;
#else
  return thread_block.map.find_first(key);
#endif
}

// The first level and the home place in the heap's table: all that is worth inlining. nullptr if
// the value is in neither.
[[nodiscard]] [[gnu::always_inline]] inline void* lookup(Key key) noexcept {
  if (void* const value = lookup_first(key)) [[likely]]
    return value;
  if (void* value = thread_block.map.find_in_table(key)) {
    // Emits nothing, but keeps the compiler from merging the two exits, which would put a taken
    // jump into the first.
    asm("" : "+r"(value));
    if (value == nullptr) __builtin_unreachable();
    return value;
  }
  return nullptr;
}

// The same object. Emits nothing, but keeps gcc from preparing, on the path of every hit, the
// registers of the call that a miss makes.
template <class T>
[[nodiscard]] [[gnu::always_inline]] inline T* on_the_slow_path(T* object) noexcept {
  asm("" : "+r"(object));
  return object;
}

}  // namespace carrel::local
