#include "carrel/scope/request_local.h"

#include "carrel/base/assert.h"

namespace carrel {

NoScope::NoScope(std::string_view variable, std::source_location where)
    : Error("no_scope", "request-local '" + std::string(variable) + "' used outside any scope", {},
            where) {}

namespace scope {
namespace {

// The initialisers that run on this thread, innermost first: a list through their stack frames.
constinit thread_local const void* running_initialisers = nullptr;

}  // namespace

Cell* Variable::find_slowly() const noexcept {
  Scope* const scope = here.scope;
  if (scope == nullptr) return nullptr;
  Access::check_thread(*scope);
  return Access::values(*scope).find(key_);
}

void Variable::throw_no_scope() const {
  throw NoScope(name_);
}

void Variable::throw_no_value() const {
  throw Error("no_value",
              "request-local '" + name_ + "' has neither a value in this scope nor an initial one");
}

Variable::Initialising::Initialising(const Variable& variable, const Scope& scope)
    : variable_(variable),
      scope_(scope),
      outer_(static_cast<const Initialising*>(running_initialisers)) {
  for (const Initialising* running = outer_; running != nullptr; running = running->outer_)
    if (&running->variable_ == &variable && &running->scope_ == &scope)
      throw Error("recursive_initialiser", "the initialiser of request-local '" + variable.name_ +
                                               "' reads its own variable");
  running_initialisers = this;
}

Variable::Initialising::~Initialising() {
  running_initialisers = outer_;
}

void BindGuard::bind_slowly() {
  ValueMap& values = Access::values(*scope_);
  Cell* const displaced = values.find(key_);
  if (displaced != nullptr || Access::is_carried(*scope_))
    rest_.emplace(Rest{.displaced = displaced, .root = Access::root(*scope_)});
  if (displaced != nullptr) {
    bound_->bind_depth = displaced->bind_depth + 1;
    values.displace(displaced, bound_);
    return;
  }
  bound_->bind_depth = 1;
  try {
    values.insert(bound_);
  } catch (...) {
    values.discard(bound_);
    throw;
  }
}

void BindGuard::unbind_slowly() noexcept {
  Cell* const displaced = rest_ ? rest_->displaced : nullptr;
  if (here.scope != scope_) {
    // Frames of coroutines are destroyed anywhere: their scope is then not current, and may even be
    // in use. A guard of a plain scope has no such excuse.
    CARREL_ASSERT(rest_ && rest_->root != nullptr,
                  "a bind guard of request-local '" + std::string(variable_->name()) +
                      "' ended on another thread or outside its scope");
    return;
  }
  Access::check_thread(*scope_);
  ValueMap& values = Access::values(*scope_);
  Cell* const present = values.find(key_);
  const std::uint32_t depth = displaced == nullptr ? 1 : displaced->bind_depth + 1;
  CARREL_ASSERT(present == nullptr || present->bind_depth <= depth,
                "bind guards of request-local '" + std::string(variable_->name()) +
                    "' ended in another order than last made, first ended");
  if (displaced != nullptr) {
    values.restore(displaced);
  } else if (present != nullptr) {
    values.remove(present);
  }
}

void BorrowCheck::check() const noexcept {
  // The scope is looked into only if it is the current one: it may be gone.
  CARREL_ASSERT(here.scope == scope_ && Access::entries(*scope_) == entries_,
                "a borrowed value of request-local '" + std::string(variable_) +
                    "' was used after a suspension or outside its scope");
}

}  // namespace scope
}  // namespace carrel
