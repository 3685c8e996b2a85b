#include "carrel/scope/snapshot.h"

namespace carrel {

Snapshot::Values::~Values() {
  // Nobody else can reach these values: no destructor can make more of them here.
  for (scope::Cell* cell = newest_; cell != nullptr;) {
    scope::Cell* const older = cell->older;
    const scope::CellOps& ops = *cell->ops;
    if (ops.destroy != nullptr) ops.destroy(*cell);
    arena_.release(cell, ops.cell_bytes, ops.cell_align);
    cell = older;
  }
}

void Snapshot::Values::copy_from(const scope::ValueMap& values) {
  for (const scope::Cell* cell = values.oldest(); cell != nullptr; cell = cell->newer) {
    if (cell->displaced || cell->ops->copy == nullptr) continue;
    scope::Cell* const copy = cell->ops->copy(*cell, arena_);
    copy->older = newest_;
    (newest_ == nullptr ? oldest_ : newest_->newer) = copy;
    newest_ = copy;
    ++size_;
  }
}

void Snapshot::Values::copy_to(scope::ValueMap& values) const {
  for (const scope::Cell* cell = oldest_; cell != nullptr; cell = cell->newer) {
    scope::Cell* const copy = cell->ops->copy(*cell, values.arena());
    try {
      values.insert(copy);
    } catch (...) {
      values.discard(copy);
      throw;
    }
  }
}

Snapshot Snapshot::capture() {
  Snapshot snapshot;
  const Scope* const scope = Scope::current();
  if (scope == nullptr) return snapshot;
  scope::Access::check_thread(*scope);
  auto captured = std::make_shared<Captured>();
  captured->name = scope::Access::name(*scope);
  captured->deadline = scope->deadline();
  captured->trace = scope->trace();
  captured->clock = &scope->clock();
  captured->values.copy_from(scope::Access::values(*scope));
  snapshot.captured_ = std::move(captured);
  return snapshot;
}

std::size_t Snapshot::size() const noexcept {
  return captured_ == nullptr ? 0 : captured_->values.size();
}

}  // namespace carrel
