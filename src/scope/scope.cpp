#include "carrel/scope/scope.h"

#include <cstdio>
#include <string>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/scope/snapshot.h"
#include "scope/thread_label.h"
#include "scope/ticks.h"

namespace carrel {

namespace scope {
namespace {

constexpr Homes kNoHomes{};

}  // namespace

constinit thread_local Here here [[gnu::tls_model("initial-exec")]]{nullptr, &kNoHomes};

}  // namespace scope

namespace {

using scope::Access;
using scope::here;

// Tells threads apart. Only compared, so that an address of something thread-local will do.
const void* this_thread() noexcept {
  return static_cast<const void*>(&here);
}

// Makes `scope` the current one. Inline: two of them are most of what an empty scope costs.
inline void go_to(Scope* scope) noexcept {
  scope::label_this_thread(scope);
  const bool direct = scope != nullptr && !Access::is_carried(*scope);
  here = {scope, direct ? &Access::values(*scope).homes() : &scope::kNoHomes};
}

// Makes `scope` the current one while it lives.
class Visit {
 public:
  explicit Visit(Scope* scope) noexcept : before_(here.scope) { go_to(scope); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() { go_to(before_); }

 private:
  Scope* before_;
};

std::string quoted(const Scope* scope) {
  return scope == nullptr ? "no scope" : "scope '" + std::string(scope->name()) + "'";
}

[[noreturn]] [[gnu::noinline]] void throw_too_deep(const Scope& scope, std::uint32_t depth) {
  throw Error("scope.too_deep", quoted(&scope) + " would be opened inside " +
                                    std::to_string(depth) +
                                    " others; is something calling itself without end?");
}

}  // namespace

inline Scope::Scope(Kind kind, const ScopeName& name, const Clock& clock)
    : name_(name),
      clock_(&clock),
      started_ticks_(scope::ticks_now(clock)),
      kind_(kind),
      carried_(kind == Kind::suspended) {}

inline Scope::Scope(Kind kind, const ScopeOptions& options)
    : Scope(kind, options.name, *options.clock) {
  deadline_ = options.deadline;
  if (options.trace) {
    trace_ = *options.trace;
    trace_state_ = TraceState::own;
  }
}

Scope::Scope(Kind kind, const Snapshot& snapshot, const ScopeOptions& options)
    : Scope(kind, options.name.empty() ? snapshot.name() : options.name,
            // A deadline is a point of its scope's clock.
            options.clock == &SystemClock::get() ? snapshot.clock() : *options.clock) {
  if (snapshot.captured_ != nullptr) derive_from(*snapshot.captured_);
  if (options.deadline) deadline_ = options.deadline;
  if (options.trace) {
    trace_ = *options.trace;
    trace_state_ = TraceState::own;
  }
}

void Scope::derive_from(const scope::Captured& captured) {
  deadline_ = captured.deadline;
  trace_ = captured.trace;
  trace_state_ = TraceState::parent;
  captured.values.copy_to(values_);
}

Scope::Scope(const ScopeOptions& options) : Scope(Kind::plain, options) {
  open();
}

Scope::Scope(const Snapshot& snapshot, const ScopeOptions& options)
    : Scope(Kind::plain, snapshot, options) {
  open();
}

Scope::Scope(const Snapshot& snapshot, const ScopeName& name)
    : Scope(Kind::plain, name.empty() ? snapshot.name() : name, snapshot.clock()) {
  if (snapshot.captured_ != nullptr) derive_from(*snapshot.captured_);
  open();
}

Scope::~Scope() {
  if (here.scope == this && kind_ == Kind::plain) [[likely]] {
    destroy_values();
    if (carried_) root_->innermost_ = outer_;
    go_to(outer_);
  } else {
    close_elsewhere();
  }
}

std::shared_ptr<Scope> Scope::suspended(const ScopeOptions& options) {
  return std::shared_ptr<Scope>(new Scope(Kind::suspended, options));
}

std::shared_ptr<Scope> Scope::suspended(const Snapshot& snapshot, const ScopeOptions& options) {
  return std::shared_ptr<Scope>(new Scope(Kind::suspended, snapshot, options));
}

inline void Scope::open() {
  outer_ = here.scope;
  if (outer_ != nullptr) {
    depth_ = outer_->depth_ + 1;
    if (depth_ >= kDepthMax) throw_too_deep(*this, depth_);
    if (outer_->carried_) {
      carried_ = true;
      root_ = Access::root(*outer_);
      root_->innermost_ = this;
    }
  }
  go_to(this);
  open_ = true;
}

bool Scope::is_open_on_this_thread() const noexcept {
  for (const Scope* scope = here.scope; scope != nullptr; scope = scope->outer_)
    if (scope == this) return true;
  return false;
}

// A scope that this thread is not in, but for a suspended one that it may wrongly be inside.
void Scope::close_elsewhere() noexcept {
  if (kind_ == Kind::suspended) {
    CARREL_ASSERT(!is_open_on_this_thread(),
                  quoted(this) + " destroyed while this thread is inside it");
    const Visit visit(this);
    destroy_values();
    return;
  }
  if (!open_) return;  // its constructor threw
  // A coroutine frame that is destroyed instead of resumed finds itself on any thread, in any
  // scope.
  const bool in_destroyed_frame = root_ != nullptr && !is_open_on_this_thread();
  CARREL_ASSERT(
      in_destroyed_frame,
      quoted(this) + " closed out of order: the innermost open one is " + quoted(here.scope));
  const Visit visit(this);
  destroy_values();
  if (root_->innermost_ == this) root_->innermost_ = outer_;
}

inline void Scope::destroy_values() noexcept {
  if (values_.empty()) return;
  if (const std::size_t abandoned = values_.clear(); abandoned > 0) [[unlikely]]
    std::fprintf(
        stderr, "carrel: scope '%.*s' abandoned %zu values that destructors made again and again\n",
        static_cast<int>(name().size()), name().data(), abandoned);
}

std::chrono::nanoseconds Scope::age() const noexcept {
  return scope::ticks_between(started_ticks_, scope::ticks_now(*clock_), *clock_);
}

Clock::Steady Scope::started() const noexcept {
  if (!started_) started_ = clock_->steady_now() - age();
  return *started_;
}

const TraceContext& Scope::trace() const {
  // Made when first asked for: ids come from the kernel, and many scopes are never traced.
  if (trace_state_ != TraceState::own) {
    trace_ = trace_state_ == TraceState::parent ? trace_.child() : TraceContext::generate();
    trace_state_ = TraceState::own;
  }
  return trace_;
}

Scope::Entry::Entry(Scope& scope) noexcept : outer_(here.scope) {
  CARREL_ASSERT(scope.kind_ == Kind::suspended,
                quoted(&scope) + " was opened as a plain scope and cannot be entered again");
  // Relaxed, here and where they are read: by those who run in the scope. Whoever hands it from one
  // thread to the next has ordered the two, as it must for the values in it.
  scope.user_.store(this_thread(), std::memory_order_relaxed);
  scope.entries_.fetch_add(1, std::memory_order_relaxed);
  go_to(scope.innermost_);
}

Scope::Entry::~Entry() {
  go_to(outer_);
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

OutsideAnyScope::OutsideAnyScope() noexcept : outer_(here.scope) {
  go_to(nullptr);
}

OutsideAnyScope::~OutsideAnyScope() {
  go_to(outer_);
}

}  // namespace scope
}  // namespace carrel
