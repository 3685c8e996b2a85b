#include "carrel/local/internal/bind.h"

#include <string>

#include "carrel/base/assert.h"
#include "local/slot.h"

namespace carrel::local {

BindChain::BindChain(const Target& target) noexcept
    : key_(target.key),
      slot_(&target.slot),
      info_(&target.info),
      owner_(&thread_block),
      outer_(thread_block.bound) {
  owner_->bound = this;
}

BindChain::~BindChain() {
  // Guards of different variables may end in any order: this one may be anywhere in the list.
  BindChain** link = &thread_block.bound;
  while (*link != nullptr && *link != this) link = &(*link)->outer_;
  if (*link == this) *link = outer_;
}

bool BindChain::variable_lives() const noexcept {
  const bool lives = !variable_is_dead(key_);
  const std::string_view name = lives ? info_->name : std::string_view("(destroyed)");
  CARREL_ASSERT(owner_ == &thread_block,
                "a bind guard ended on another thread: " + std::string(name));
  for (const BindChain* inner = owner_->bound; inner != this; inner = inner->outer_) {
    CARREL_ASSERT(inner != nullptr && inner->key_ != key_,
                  "bind guards ended out of order: " + std::string(name));
  }
  return lives;
}

void BindChain::remember(void* value) noexcept {
  ThreadLocalMap& map = thread_block.map;
  stamp_ = Cell::of(value).stamp;
  replaced_ = map.last_replacement();
  epoch_ = map.next_epoch();  // the replacement by this guard, and no other, will carry it
}

void BindChain::replaced(void* value) noexcept {
  note_replaced(value);
  thread_block.map.next_epoch();
}

void BindChain::restore_record(void* value, bool same_cell) noexcept {
  ThreadLocalMap& map = thread_block.map;
  Cell& cell = Cell::of(value);
  // A cell that was there all the time: one that was removed and made anew has a later stamp.
  const bool untouched = same_cell && (cell.stamp == epoch_ || cell.stamp == Cell::kCache);
  cell.stamp = stamp_;
  if (!untouched) {
    // Its record may now be the log's newest: have the audit look beyond it.
    map.note_replacement(map.epoch());
  } else if (map.last_replacement() == epoch_) {
    map.note_replacement(replaced_);  // nothing else was replaced meanwhile
  }
}

}  // namespace carrel::local
