#include "carrel/scope/scope.h"

#include <cstdio>
#include <string>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/scope/snapshot.h"
#include "scope/thread_label.h"

namespace carrel {

constinit thread_local Scope* scope::current = nullptr;

namespace {

// Tells threads apart. Only compared, so that an address of something thread-local will do.
const void* this_thread() noexcept {
  return static_cast<const void*>(&scope::current);
}

// Makes `scope` the current one, and returns which it was.
Scope* enter(Scope* scope) noexcept {
  scope::label_this_thread(scope);
  return std::exchange(scope::current, scope);
}

std::string quoted(const Scope* scope) {
  return scope == nullptr ? "no scope" : "scope '" + std::string(scope->name()) + "'";
}

}  // namespace

Scope::Scope(Kind kind, const ScopeOptions& options)
    : name_(options.name),
      clock_(options.clock),
      started_(options.clock->steady_now()),
      deadline_(options.deadline),
      kind_(kind) {
  if (options.trace) {
    trace_ = *options.trace;
    trace_state_ = TraceState::own;
  }
}

Scope::Scope(Kind kind, const Snapshot& snapshot, const ScopeOptions& options)
    : Scope(kind, options) {
  const Snapshot::Captured* const captured = snapshot.captured_.get();
  if (captured == nullptr) return;
  if (options.name.empty()) name_ = captured->name;
  // The deadline is a point of the captured scope's clock.
  if (options.clock == &SystemClock::get() && captured->clock != clock_) {
    clock_ = captured->clock;
    started_ = clock_->steady_now();
  }
  if (!options.deadline) deadline_ = captured->deadline;
  if (!options.trace && captured->trace) {
    trace_ = *captured->trace;
    trace_state_ = TraceState::parent;
  }
  captured->values.copy_to(values_);
}

Scope::Scope(const ScopeOptions& options) : Scope(Kind::plain, options) {
  open();
}

Scope::Scope(const Snapshot& snapshot, const ScopeOptions& options)
    : Scope(Kind::plain, snapshot, options) {
  open();
}

Scope::~Scope() {
  close();
}

std::shared_ptr<Scope> Scope::suspended(const ScopeOptions& options) {
  return std::shared_ptr<Scope>(new Scope(Kind::suspended, options));
}

std::shared_ptr<Scope> Scope::suspended(const Snapshot& snapshot, const ScopeOptions& options) {
  return std::shared_ptr<Scope>(new Scope(Kind::suspended, snapshot, options));
}

void Scope::open() {
  outer_ = scope::current;
  if (outer_ != nullptr) {
    depth_ = outer_->depth_ + 1;
    if (depth_ >= kDepthMax)
      throw Error("scope.too_deep", "scope '" + std::string(name()) + "' would be opened inside " +
                                        std::to_string(depth_) +
                                        " others; is something calling itself without end?");
    root_ = scope::Access::root(*outer_);
    if (root_ != nullptr) root_->innermost_ = this;
  }
  enter(this);
  open_ = true;
}

bool Scope::is_open_on_this_thread() const noexcept {
  for (const Scope* scope = scope::current; scope != nullptr; scope = scope->outer_)
    if (scope == this) return true;
  return false;
}

void Scope::close() noexcept {
  if (kind_ == Kind::suspended) {
    CARREL_ASSERT(!is_open_on_this_thread(),
                  quoted(this) + " destroyed while this thread is inside it");
    Scope* const before = enter(this);
    destroy_values();
    enter(before);
    return;
  }
  if (!open_) return;  // its constructor threw
  if (scope::current == this) {
    destroy_values();
    if (root_ != nullptr) root_->innermost_ = outer_;
    enter(outer_);
    return;
  }
  // A coroutine frame that is destroyed instead of resumed finds itself on any thread, in any
  // scope.
  const bool in_destroyed_frame = root_ != nullptr && !is_open_on_this_thread();
  CARREL_ASSERT(
      in_destroyed_frame,
      quoted(this) + " closed out of order: the innermost open one is " + quoted(scope::current));
  Scope* const before = enter(this);
  destroy_values();
  if (root_->innermost_ == this) root_->innermost_ = outer_;
  enter(before);
}

void Scope::destroy_values() noexcept {
  const std::size_t abandoned = values_.clear();
  if (abandoned > 0)
    std::fprintf(
        stderr, "carrel: scope '%.*s' abandoned %zu values that destructors made again and again\n",
        static_cast<int>(name().size()), name().data(), abandoned);
}

const TraceContext& Scope::trace() const {
  // Made when first asked for: ids come from the kernel, and many scopes are never traced.
  if (trace_state_ != TraceState::own) {
    trace_ = trace_state_ == TraceState::parent ? trace_.child() : TraceContext::generate();
    trace_state_ = TraceState::own;
  }
  return trace_;
}

Scope::Entry::Entry(Scope& scope) noexcept : outer_(scope::current) {
  CARREL_ASSERT(scope.kind_ == Kind::suspended,
                quoted(&scope) + " was opened as a plain scope and cannot be entered again");
  scope.user_.store(this_thread(), std::memory_order_relaxed);
  scope.entries_.fetch_add(1, std::memory_order_relaxed);  // read by those who run in it only
  enter(scope.innermost_);
}

Scope::Entry::~Entry() {
  enter(outer_);
}

// Release and acquire: a handler that finds the scope not lent any more also sees what the borrower
// did in it.
Scope::Loan::Loan(std::shared_ptr<Scope> scope) noexcept : scope_(std::move(scope)) {
  const bool lent_before = scope_->lent_.exchange(true, std::memory_order_acq_rel);
  CARREL_ASSERT(!lent_before, quoted(scope_.get()) + " was lent while it was lent already");
}

Scope::Loan::~Loan() {
  scope_->lent_.store(false, std::memory_order_release);
}

namespace scope {

void Access::check_user(const Scope& scope) noexcept {
  const Scope* const root = scope.kind_ == Scope::Kind::suspended ? &scope : scope.root_.get();
  CARREL_ASSERT(root->user_.load(std::memory_order_relaxed) == this_thread(),
                quoted(root) + " was entered by another thread while this one was still using it");
}

std::uint64_t Access::entries(const Scope& scope) noexcept {
  const Scope* const root = scope.kind_ == Scope::Kind::suspended ? &scope : scope.root_.get();
  return root == nullptr ? 0 : root->entries_.load(std::memory_order_relaxed);
}

std::shared_ptr<Scope> Access::root_of_carried(Scope& scope) noexcept {
  return scope.kind_ == Scope::Kind::suspended ? scope.shared_from_this() : scope.root_;
}

OutsideAnyScope::OutsideAnyScope() noexcept : outer_(enter(nullptr)) {}

OutsideAnyScope::~OutsideAnyScope() {
  enter(outer_);
}

}  // namespace scope
}  // namespace carrel
