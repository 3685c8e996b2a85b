// Copying what is known of a value whose variable may die at any time.
#pragma once

#include <cstddef>

#include "carrel/local/internal/audit.h"
#include "local/age.h"
#include "local/slot.h"

namespace carrel::local {

// Fills the record of the cell that `find` returns, called with the slot's lock held. False if that
// is null. Nothing is allocated under the lock: the strings get their room first, and the copy is
// tried again if that was too small.
template <class Find>
[[nodiscard]] bool describe(Slot& slot, Key key, ValueRecord& record, Find&& find) {
  std::size_t name_size = 0;
  std::size_t type_size = 0;
  for (;;) {
    record.variable.reserve(name_size);
    record.type.reserve(type_size);
    slot.lock.lock();
    const Cell* const cell = find();
    // A slot without cells may just be getting its next variable, without the lock.
    const VariableInfo* const info = cell == nullptr ? nullptr : slot.info;
    if (info == nullptr) {
      slot.lock.unlock();
      return false;
    }
    const std::string_view name = info->name.empty() ? info->type : info->name;
    name_size = name.size();
    type_size = info->type.size();
    if (record.variable.capacity() >= name_size && record.type.capacity() >= type_size) {
      record.key = key;
      record.variable.assign(name);
      record.type.assign(info->type);
      record.lifetime = info->lifetime;
      record.bytes = cell->bytes.load(std::memory_order_relaxed);       // a figure
      record.age = age_of(cell->born.load(std::memory_order_relaxed));  // as well
      slot.lock.unlock();
      return true;
    }
    slot.lock.unlock();
  }
}

}  // namespace carrel::local
