#include "failing_new.h"

#include <cstdlib>
#include <new>
#include <utility>

namespace {

using namespace carrel::failing_new;

void call_at_each() {
  auto* const call = std::exchange(at_each, nullptr);
  if (call == nullptr) return;
  call();
  at_each = call;
}

void* counted(std::size_t bytes) {
  call_at_each();
  if (++allocations == failing_allocation) throw std::bad_alloc();
  if (failing_from != 0 && allocations >= failing_from) throw std::bad_alloc();
  if (void* const block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes);
}
// The library's own form calls the one above, but a sanitizer's does not.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return counted(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* block) noexcept {
  call_at_each();
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  call_at_each();
  std::free(block);
}
