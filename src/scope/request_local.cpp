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

Scope& Variable::require_scope() const {
  Scope* const scope = Scope::current();
  if (scope == nullptr) throw NoScope(name_);
  Access::check_thread(*scope);
  return *scope;
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

BindGuard::BindGuard(Scope& scope, Cell* bound, std::string_view variable)
    : scope_(&scope),
      root_(Access::root(scope)),
      variable_(variable),
      key_(bound->key),
      depth_(1),
      displaced_(nullptr) {
  ValueMap& values = Access::values(scope);
  displaced_ = values.find(key_);
  if (displaced_ != nullptr) {
    depth_ = displaced_->bind_depth + 1;
    bound->bind_depth = depth_;
    values.displace(displaced_, bound);
    return;
  }
  bound->bind_depth = depth_;
  try {
    values.insert(bound);
  } catch (...) {
    values.discard(bound);
    throw;
  }
}

BindGuard::~BindGuard() {
  if (Scope::current() != scope_) {
    // Frames of coroutines are destroyed anywhere: their scope is then not current, and may even be
    // in use. A guard of a plain scope has no such excuse.
    CARREL_ASSERT(root_ != nullptr, "a bind guard of request-local '" + std::string(variable_) +
                                        "' ended on another thread or outside its scope");
    return;
  }
  Access::check_thread(*scope_);
  ValueMap& values = Access::values(*scope_);
  Cell* const present = values.find(key_);
  CARREL_ASSERT(present == nullptr || present->bind_depth <= depth_,
                "bind guards of request-local '" + std::string(variable_) +
                    "' ended in another order than last made, first ended");
  if (displaced_ != nullptr) {
    values.restore(displaced_);
  } else if (present != nullptr) {
    values.remove(present);
  }
}

void BorrowCheck::check() const noexcept {
  // The scope is looked into only if it is the current one: it may be gone.
  CARREL_ASSERT(Scope::current() == scope_ && Access::entries(*scope_) == entries_,
                "a borrowed value of request-local '" + std::string(variable_) +
                    "' was used after a suspension or outside its scope");
}

}  // namespace scope
}  // namespace carrel
