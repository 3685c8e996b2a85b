// What build_forms.sh compiles in every way in which a program may: the fast path of a lookup reads
// the map behind the compiler's back, so each change of the map has to be seen by the next lookup,
// however much of the library the compiler sees and moves about.
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"

namespace {

using carrel::ThreadLocal;

int faults = 0;

void expect(bool right, const char* what) {
  if (right) return;
  ++faults;
  std::fprintf(stderr, "not so: %s\n", what);
}

constinit carrel::StaticThreadLocal<std::uint64_t> depth{"depth"};

// Each step depends on what the one before has changed.
void change_and_look(const ThreadLocal<std::uint64_t>& variable) {
  for (std::uint64_t i = 1; i < 100; ++i) {
    expect(variable.peek() == nullptr, "no value after a removal");
    variable.set(i);
    expect(variable.peek() != nullptr && variable.get() == i, "the value that was just set");
    variable.set(i + 1);
    expect(variable.get()++ == i + 1, "the value that has replaced it");
    expect(variable.get() == i + 2, "the value that was counted up");
    if (i % 2 == 0) {
      expect(variable.take() == i + 2, "the value that is taken");
    } else {
      expect(variable.remove(), "a value to remove");
    }
    expect(!variable.remove(), "nothing more to remove");
  }
}

void meet_stale_keys() {
  for (std::uint64_t i = 0; i < 100; ++i) {
    std::optional<ThreadLocal<std::uint64_t>> variable(std::in_place);
    expect(variable->peek() == nullptr, "no value of the slot's last variable");
    variable->set(i);
    expect(variable->get() == i, "a new variable's value");
  }
}

// More than the first level holds, so that places conflict.
void use_many() {
  const auto many = std::make_unique<std::array<ThreadLocal<std::uint64_t>, 40>>();
  for (std::uint64_t i = 0; i < many->size(); ++i) (*many)[i].set(i);
  for (std::uint64_t i = 0; i < many->size(); i += 2) (*many)[i].remove();
  for (std::uint64_t i = 0; i < many->size(); ++i) {
    const std::uint64_t* const value = (*many)[i].peek();
    expect(i % 2 == 0 ? value == nullptr : value != nullptr && *value == i, "one of many values");
  }
}

void all_of_it() {
  const ThreadLocal<std::uint64_t> variable;
  change_and_look(variable);
  meet_stale_keys();
  use_many();
  expect(++depth.get() == 1, "a thread's own static value");
}

}  // namespace

int main() {
  std::thread(all_of_it).join();
  std::thread(all_of_it).join();
  all_of_it();
  if (faults == 0) std::puts("every change is seen");
  return faults == 0 ? 0 : 1;
}
