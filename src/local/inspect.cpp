#include "carrel/local/internal/inspect.h"

#include <algorithm>
#include <utility>

#include "local/age.h"
#include "local/describe.h"
#include "local/registry.h"
#include "local/slot.h"

namespace carrel::local {
namespace {

std::vector<ThreadReport> list_threads() {
  std::vector<ThreadReport> reports;
  // Nothing is allocated under the list's lock: the room comes first, and grows until all fit.
  for (std::size_t threads = 1; threads > reports.capacity();) {
    reports.reserve(threads * 2);
    reports.clear();
    threads = 0;
    thread_list.for_each([&](const ThreadBlock& block) {
      if (++threads > reports.capacity()) return;
      reports.push_back({.thread = block.id,
                         .capacity = block.map.capacity(),
                         .entries = block.map.count(),
                         .stale = block.map.stale(),
                         .values = {}});
    });
  }
  std::ranges::sort(reports, {}, &ThreadReport::thread);
  return reports;
}

struct Holder {
  std::uint64_t thread;
  std::size_t bytes;
  std::uint32_t born;
  Referent referent;
};

// Under the slot's lock. What a dead variable has left to its owners has no description any more.
Referent recorded_referent(const VariableInfo* info, Cell& cell) noexcept {
  if (info == nullptr || info->referent_at == 0) return 0;
  // Relaxed: only reported.
  return referent_record(cell.value(), info->referent_at).load(std::memory_order_relaxed);
}

// What is known of a slot's variable, and who holds a value of it: both as they are at one moment.
// The slot may belong to another variable the moment after.
struct Held {
  ValueRecord record;
  std::vector<Holder> holders;
};

// With the slot's lock held: lists as many holders as there is room for, and returns how many there
// are.
std::size_t list_holders(const Slot& slot, std::vector<Holder>& holders) noexcept {
  holders.clear();
  std::size_t cells = 0;
  for (Cell* cell = slot.holders; cell != nullptr; cell = cell->next) {
    // Relaxed: only reported.
    if (cell->state.load(std::memory_order_relaxed) != CellState::live) continue;
    if (++cells > holders.capacity()) continue;
    holders.push_back({cell->owner->id, cell->bytes.load(std::memory_order_relaxed),
                       cell->born.load(std::memory_order_relaxed),
                       recorded_referent(slot.info, *cell)});
  }
  return cells;
}

// False if nobody holds a value of a variable there.
bool list_held(Slot& slot, Held& held) {
  for (std::size_t cells = 0;;) {
    held.holders.reserve(cells);
    const bool described = describe(slot, Key{}, held.record, [&] {
      cells = list_holders(slot, held.holders);
      return slot.holders;
    });
    if (!described) return false;
    if (cells <= held.holders.capacity()) return true;
    cells *= 2;  // there may be more by the next time
  }
}

// What the values of several threads refer to, in order.
std::vector<Referent> list_shared(const std::vector<Holder>& holders) {
  std::vector<Referent> referents;
  for (const Holder& holder : holders)
    if (holder.referent != 0) referents.push_back(holder.referent);
  std::ranges::sort(referents);
  std::vector<Referent> shared;
  for (std::size_t i = 1; i < referents.size(); ++i)
    if (referents[i] == referents[i - 1]) shared.push_back(referents[i]);
  return shared;
}

}  // namespace

std::vector<ThreadReport> inspect_threads() {
  std::vector<ThreadReport> reports = list_threads();
  const std::uint32_t made = slot_table.made();
  for (std::uint32_t number = 0; number < made; ++number) {
    Slot& slot = slot_table.at(number);
    Held held;
    if (!list_held(slot, held)) continue;
    const std::vector<Referent> shared = list_shared(held.holders);
    for (const Holder& holder : held.holders) {
      const auto report = std::ranges::find(reports, holder.thread, &ThreadReport::thread);
      if (report == reports.end()) continue;  // began after the list was made
      held.record.bytes = holder.bytes;
      held.record.age = age_of(holder.born);
      held.record.shared = std::ranges::binary_search(shared, holder.referent);
      report->values.push_back(held.record);
    }
  }
  return reports;
}

ProcessFigures process_figures() noexcept {
  ProcessFigures figures;
  figures.variables = slot_table.taken();
  figures.slots = slot_table.made();
  thread_list.for_each([&figures](const ThreadBlock&) { ++figures.threads; });
  figures.abandoned = abandoned_values.load(std::memory_order_relaxed);  // a figure
  return figures;
}

}  // namespace carrel::local
