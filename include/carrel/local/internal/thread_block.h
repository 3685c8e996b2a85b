// ThreadBlock: all that Carrel keeps per thread, in the thread-local block itself, constant-
// initialised and trivially destructible, so that it can be read before the thread's first value
// and after its last. Internal to the local layer.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "carrel/local/internal/cell.h"
#include "carrel/local/internal/key.h"
#include "carrel/local/internal/linkage.h"
#include "carrel/local/internal/thread_local_map.h"
#include "carrel/local/options.h"

namespace carrel::local {

struct Slot;
class Initialising;
class BindChain;

// Cells in hand, by size, so that a thread which makes and drops values asks malloc for nothing.
class CellPool {
 public:
  static constexpr std::uint8_t kNoClass = 0xff;  // too large or over-aligned: never in hand

  constexpr CellPool() noexcept = default;

  // A cell for a value of that size and alignment. Throws std::bad_alloc.
  [[nodiscard]] Cell* take(std::size_t size, std::size_t align);
  void give_back(Cell* cell) noexcept;  // inline, in src/local/cell_pool.h
  // Leaves all that is in hand to other threads, or frees it, and keeps nothing from now on.
  void close() noexcept;
  void open() noexcept { closed_ = false; }

 private:
  static void free_cell(Cell* cell) noexcept;

  static constexpr std::size_t kClasses = 4;
  // How many idle blocks of a class a thread keeps: about 3 KiB at most.
  static constexpr std::uint8_t kIdleMax[kClasses] = {8, 8, 4, 2};
  std::array<Cell*, kClasses> idle_{};
  std::array<std::uint8_t, kClasses> count_{};
  bool closed_ = true;  // until the thread is registered
};

// For fork: no other thread is taking or leaving a cell meanwhile.
void lock_depot() noexcept;
void unlock_depot() noexcept;

// A destructor of a value that is running on this thread; a list, since they nest.
struct RunningDestructor {
  Cell* cell;
  Ending ending;
  RunningDestructor* outer;
};

// A visit that is under way on this thread; a list, since they nest.
struct RunningVisit {
  Slot* slot;
  Cell* pinned;
  RunningVisit* outer;
  bool forked = false;  // in a child: the list that was walked is not there any more
};

// A removed value's cell that stays linked in its slot, so that the next insertion links nothing.
struct StickyCell {
  Key key;
  Cell* cell = nullptr;
};

struct ThreadBlock {
  static constexpr std::uint32_t kSticky = 8;

  ThreadLocalMap map;  // first: see lookup.h
  std::array<StickyCell, kSticky> sticky{};
  CellPool pool;
  RunningDestructor* destructor = nullptr;
  RunningVisit* visit = nullptr;
  Initialising* initialising = nullptr;
  BindChain* bound = nullptr;
  Slot* waiting_for = nullptr;  // under the wait room's lock
  std::uint32_t forks = 0;      // how many forks this thread has come out of as a child
  bool registered = false;
  bool ending = false;          // the thread's values are being destroyed
  bool guard_is_gone = false;   // the thread's first end is over; see thread_end.cpp
  std::uint64_t id = 0;         // never given twice
  ThreadBlock* next = nullptr;  // the registry's list of threads, under its lock
  ThreadBlock* previous = nullptr;
};

// Constant-initialised, so that reading it needs no guard and no wrapper function. Its name for the
// linker is the one that lookup.h uses.
CARREL_LOCAL_EXEC_OR()
extern constinit thread_local ThreadBlock thread_block asm("carrel_local_thread_block");

}  // namespace carrel::local
