// How this program reaches the library's own thread-local objects. Internal to the library.
//
// Program and library are linked together if the library is static, which its CMake target and its
// pkg-config file say by CARREL_LOCAL_STATIC, and the code is not position-independent or is so for
// a program. Then the linker knows how far from the thread pointer each object is, and that is a
// constant in an instruction: see lookup.h. CARREL_LOCAL_DYNAMIC opts out.
#pragma once

#if defined(CARREL_LOCAL_STATIC) && !defined(CARREL_LOCAL_DYNAMIC) && defined(__x86_64__) && \
    defined(__LP64__) && defined(__ELF__) && (defined(__PIE__) || !defined(__PIC__))
#define CARREL_LOCAL_OFFSET_IS_CONSTANT 1
#define CARREL_LOCAL_EXEC_OR(...) [[gnu::tls_model("local-exec")]]
#else
#define CARREL_LOCAL_EXEC_OR(...) [[__VA_ARGS__]]
#endif
