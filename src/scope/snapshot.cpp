#include "carrel/scope/snapshot.h"

namespace carrel {

namespace scope {

CapturedValues::~CapturedValues() {
  // Nobody else can reach these values: no destructor can make more of them here.
  for (Cell* cell = newest_; cell != nullptr;) {
    Cell* const older = cell->older;
    const CellOps& ops = *cell->ops;
    if (ops.destroy != nullptr) ops.destroy(*cell);
    arena_.release_at_end(cell, ops.cell_bytes, ops.cell_align);
    cell = older;
  }
}

void CapturedValues::copy_from(const ValueMap& values) {
  for (const Cell* cell = values.oldest(); cell != nullptr; cell = cell->newer) {
    if (cell->displaced || cell->ops->copy == nullptr) continue;
    Cell* const copy = cell->ops->copy(*cell, arena_);
    copy->older = newest_;
    (newest_ == nullptr ? oldest_ : newest_->newer) = copy;
    newest_ = copy;
    ++size_;
  }
}

void CapturedValues::copy_to(ValueMap& values) const {
  for (const Cell* cell = oldest_; cell != nullptr; cell = cell->newer) {
    Cell* const copy = cell->ops->copy(*cell, values.arena());
    try {
      values.insert(copy);
    } catch (...) {
      values.discard(copy);
      throw;
    }
  }
}

}  // namespace scope

Snapshot Snapshot::capture() {
  Snapshot snapshot;
  const Scope* const scope = Scope::current();
  if (scope == nullptr) return snapshot;
  scope::Access::check_thread(*scope);
  snapshot.captured_ = std::make_shared<const scope::Captured>(*scope);
  return snapshot;
}

std::size_t Snapshot::size() const noexcept {
  return captured_ == nullptr ? 0 : captured_->values.size();
}

const ScopeName& Snapshot::name() const noexcept {
  static constexpr ScopeName kNone;
  return captured_ == nullptr ? kNone : captured_->name;
}

const Clock& Snapshot::clock() const noexcept {
  return captured_ == nullptr ? SystemClock::get() : *captured_->clock;
}

}  // namespace carrel
