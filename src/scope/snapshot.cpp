#include "carrel/scope/snapshot.h"

#include <string_view>
#include <typeinfo>

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

// The name of a class template's instance is the template's, and then its arguments (Itanium C++
// ABI, 5.1): up to there, those of all instances are one.
bool names_a_wrapped_function(const char* type_name) noexcept {
  const std::string_view of_one = typeid(Wrapped<int>).name();
  const std::string_view of_all = of_one.substr(0, of_one.rfind('I') + 1);
  return std::string_view(type_name).starts_with(of_all);
}

void throw_wrapped_twice() {
  throw Error("snapshot.wrapped_twice",
              "a function that Snapshot::wrap() has wrapped would be wrapped again; the values of "
              "the second snapshot would be seen by nobody");
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
