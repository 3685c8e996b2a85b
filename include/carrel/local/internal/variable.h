// Variable: what a ThreadLocal<T> is without its T: a slot in the process's table of variables, and
// the type-free half of every operation. Internal to the local layer.
//
// Threads: as ThreadLocal. Lifetime: constructing takes a slot, destroying destroys every thread's
// value (or leaves them to their owners) and gives the slot back. Errors: std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include "carrel/local/internal/cell.h"
#include "carrel/local/internal/key.h"
#include "carrel/local/internal/referent.h"
#include "carrel/local/internal/thread_block.h"
#include "carrel/local/options.h"

namespace carrel::local {

struct Slot;

// What is known of a variable. Read by other threads under its slot's lock, and constant meanwhile.
// Held by the variable itself, so that the code it points to is that of the library which the
// variable lives in, and not of whichever library happened to insert a value.
struct VariableInfo {
  std::string_view name;
  std::string_view type;
  void (*destroy)(void*) noexcept = nullptr;
  std::uint32_t size = 0;
  std::uint32_t align = 0;
  std::uint32_t room = 0;         // of the value and what is recorded behind it
  std::uint32_t referent_at = 0;  // where that is; 0: nothing
  Reclaim reclaim = Reclaim::eager;
  Lifetime lifetime = Lifetime::task;
  bool visited = false;  // for_each_thread may pin its values
};

// The text between "T = " and the end, in the compiler's own spelling of this function.
template <class T>
[[nodiscard]] constexpr std::string_view type_name() noexcept {
  constexpr std::string_view text = __PRETTY_FUNCTION__;
  constexpr std::size_t begin = text.find("T = ") + 4;
  constexpr std::size_t end = text.find_first_of(";]", begin);
  return text.substr(begin, end - begin);
}

template <class T>
void destroy_value(void* value) noexcept {
  std::destroy_at(static_cast<T*>(value));
}

template <class T>
[[nodiscard]] constexpr VariableInfo describe_variable(std::string_view name, Reclaim reclaim,
                                                       Lifetime lifetime, bool visited) noexcept {
  VariableInfo info{.name = name,
                    .type = type_name<T>(),
                    .size = sizeof(T),
                    .align = alignof(T),
                    .room = has_referent<T> ? referent_at<T> + sizeof(Referent) : sizeof(T),
                    .referent_at = referent_at<T>,
                    .reclaim = reclaim,
                    .lifetime = lifetime,
                    .visited = visited};
  if constexpr (!std::is_trivially_destructible_v<T>) info.destroy = &destroy_value<T>;
  return info;
}

// Takes a slot for the variable that `info` describes. `info` stays where it is.
struct Registration {
  Key key;
  Slot* slot = nullptr;
};
[[nodiscard]] Registration register_variable(const VariableInfo& info);
// The slot that a registered variable's key names.
[[nodiscard]] Slot& slot_of(Key key) noexcept;
// Destroys all values (Reclaim::eager) or leaves them to their owners, and gives the slot back.
void retire_variable(Slot& slot, Key key) noexcept;

// Whether a T is just some bits: making it runs no code that could look at the map.
template <class T>
inline constexpr bool is_word =
    std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T> &&
    std::is_trivially_destructible_v<T> && sizeof(T) <= sizeof(std::uint64_t) &&
    alignof(T) <= alignof(std::uint64_t);

// Makes a value that is_word, all at once. Throws std::bad_alloc; stops the program if the variable
// is dead.
[[nodiscard]] void* insert_word(Key key, Slot& slot, const VariableInfo& info, std::uint64_t word);

// A value in the making: its memory, until publish() puts it into this thread's map. One that is
// not published gives the memory back, and destroys the value if there is one.
class NewValue {
 public:
  // Takes the memory. Throws std::bad_alloc; stops the program if the variable is dead.
  NewValue(Key key, Slot& slot, const VariableInfo& info);
  NewValue(const NewValue&) = delete;
  NewValue& operator=(const NewValue&) = delete;
  ~NewValue() {
    if (cell_ != nullptr) discard();
  }

  [[nodiscard]] void* memory() noexcept { return cell_->value(); }
  void constructed() noexcept { constructed_ = true; }
  // Returns the variable's value: this one, or the one that its own construction has put there
  // meanwhile, in which case this one goes. Throws std::bad_alloc; the map is then as it was.
  [[nodiscard]] void* publish();

 private:
  void discard() noexcept;

  const Key key_;
  Slot& slot_;
  const VariableInfo& info_;
  Cell* cell_ = nullptr;
  std::uint32_t insertions_ = 0;
  std::uint32_t forks_ = 0;
  bool constructed_ = false;
};

// Marks that the initialiser of a variable runs on this thread. Throws Error
// "recursive_initialiser" if it already does.
class [[nodiscard]] Initialising {
 public:
  Initialising(Key key, std::string_view variable);
  Initialising(const Initialising&) = delete;
  Initialising& operator=(const Initialising&) = delete;
  ~Initialising();

 private:
  Key key_;
  Initialising* outer_;
};

// Takes the value out of this thread's map and destroys it. False if there is none.
bool remove_value(Key key, Slot& slot, const VariableInfo& info) noexcept;
// Destroys the values that dead variables have left to this thread and that a miss has just found.
// To be called after a miss that no insertion follows, once the map is not in use any more.
[[gnu::noinline]] [[gnu::cold]] void end_unowned_values_now() noexcept;
[[gnu::always_inline]] inline void end_unowned_values() noexcept {
  if (thread_block.map.has_unowned()) [[unlikely]]
    end_unowned_values_now();
}
// Says that this thread replaced the value, for the audit. One that carries the epoch already was
// made or replaced since the last mark, and a cache's stamp lies after every epoch: there is
// nothing to add, and a set() stores nothing more.
//
// The rest is out of line and cold, so that gcc puts no jump on the path of those.
[[gnu::noinline]] [[gnu::cold]] void note_first_replacement(Cell& cell) noexcept;
[[gnu::always_inline]] inline void note_replaced(void* value) noexcept {
  Cell& cell = Cell::of(value);
  if (cell.stamp < thread_block.map.epoch()) [[unlikely]]
    note_first_replacement(cell);
}
// Stops the program: the variable is dead. Called where a key of none is found.
[[noreturn]] void used_after_death(std::string_view variable) noexcept;

// Visits every live value, each pinned while `visit` runs with no lock held.
using Visit = void (*)(void* context, void* value);
void visit_values(Slot& slot, Key key, Visit visit, void* context);

[[nodiscard]] VariableStatistics statistics_of(Slot& slot) noexcept;

// Keeps the shared library that contains `address` in memory until the process ends.
void pin_library_of(const void* address) noexcept;

}  // namespace carrel::local
