// Cell: one value of one variable for one thread, with what its thread and its variable need to
// find it by. Internal to the local layer.
//
// The value lies directly behind its cell, so that either is found from the other. An over-aligned
// value has its padding in front of the cell.
//
// Who may touch what: `next`, `previous`, `pins` and `runner` under the lock of the variable's
// slot; `stamp` by the owner's thread only; `state` as written beside it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "carrel/local/internal/key.h"

namespace carrel::local {

struct ThreadBlock;

enum class CellState : std::uint8_t {
  empty,       // memory only: not initialised yet, or removed and kept for the next insertion
  live,        // holds a value
  destroying,  // `runner` is running the value's destructor
  orphan,      // taken from its owner while a visitor had it pinned: the last visitor destroys it
};

struct alignas(16) Cell {
  Cell* next = nullptr;  // in the slot's list of holders, or in whatever list it waits in
  Cell* previous = nullptr;
  ThreadBlock* owner = nullptr;
  ThreadBlock* runner = nullptr;
  Key key;
  void (*destroy)(void*) noexcept = nullptr;  // null: nothing to run
  std::uint64_t stamp = 0;                    // the map's epoch when created or last replaced
  static constexpr std::uint64_t kCache = ~std::uint64_t{0};  // as stamp: the audit passes it by
  // What the value occupies, as its owner last said. Relaxed: a figure for inspection, on its own.
  std::atomic<std::size_t> bytes{0};
  std::uint32_t pins = 0;
  // When the value was made, as src/local/age.h counts. Relaxed, as `bytes`.
  std::atomic<std::uint32_t> born{0};
  // Only the owner's thread makes a cell live or empty, and whoever claims it (under the slot's
  // lock, but for its owner) destroying. Each store says in its place what its order is for.
  std::atomic<CellState> state{CellState::empty};
  bool linked = false;  // in its slot's list; changed under the slot's lock
  bool late = false;    // inserted while its variable was already being destroyed
  std::uint8_t size_class = 0;
  std::uint8_t padding_shift = 0;  // log2 of an alignment above malloc's, else 0

  [[nodiscard]] void* value() noexcept { return this + 1; }
  [[nodiscard]] static Cell& of(void* value) noexcept { return *(static_cast<Cell*>(value) - 1); }
};
static_assert(sizeof(Cell) % 16 == 0);

}  // namespace carrel::local
