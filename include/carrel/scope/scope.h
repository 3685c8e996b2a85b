// Scope: the extent of one request or task; what RequestLocal values live in.
//
// Open one where a request or task begins. Everything that the request stores in RequestLocals is
// destroyed when the scope closes, and the next request on the thread cannot see it. Not for state
// that shall outlive the request: that is a ThreadLocal, or simply a member.
//
//   Scope scope({.name = "POST /v1/vouchers", .deadline = clock.steady_now() + 2s});
//   serve(request);  // Scope::current() == &scope, here and in callees
//   // closed at the end of the block, exceptions included; the scope around it is current again
//
// Scopes nest, at most kDepthMax deep. The inner one is empty unless it is opened from a Snapshot.
// Closing in another order than last opened, first closed is a bug and stops the program with the
// names of both scopes.
//
// A coroutine leaves its thread at every co_await, and takes its scope along: such a scope is made
// once, by Scope::suspended(), and entered again and again by a Scope::Entry. scope_executor does
// this for Asio. A plain Scope opened inside an entered one and still open at a suspension is
// found again after it.
//
// Threads: a scope is used by one thread at a time. A plain scope belongs to the thread that opened
// it. Entering a suspended scope while another thread is still inside is a bug; it is found when
// the earlier thread next uses the scope.
// Lifetime: a plain scope is a local variable. Values die newest first, while their scope is still
// current: a destructor may use RequestLocals, and what it makes is destroyed in a next round (at
// most 8; what remains then is abandoned and reported on stderr).
// Errors: Error "scope.too_deep" when more than kDepthMax scopes are open inside each other.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "carrel/base/clock.h"
#include "carrel/base/error.h"
#include "carrel/local/internal/linkage.h"
#include "carrel/scope/internal/value_map.h"
#include "carrel/scope/trace_context.h"

namespace carrel {

class Scope;
class Snapshot;

namespace scope {
class Access;
struct Captured;

// Where this thread is. Written only by the scope layer.
struct Here {
  Scope* scope;  // the innermost that the thread is in
  // Where a RequestLocal may look without asking anything: the places of a plain scope, which this
  // thread alone can be in. Empty ones outside any scope, and in a scope that goes from thread to
  // thread, where every use is checked first.
  const Homes* homes;
};
// Initial-exec where the offset is no constant: two words of the static block, which a library
// loaded later still finds room for, and no call for their address.
CARREL_LOCAL_EXEC_OR(gnu::tls_model("initial-exec")) extern constinit thread_local Here here;
}  // namespace scope

// What a scope is called in logs, audits and inspect(): a route, a kind of task. At most kLengthMax
// bytes; a longer name is cut (at a whole UTF-8 character). Owns its text and never allocates.
class ScopeName {
 public:
  static constexpr std::size_t kLengthMax = 62;

  constexpr ScopeName() noexcept = default;
  constexpr ScopeName(std::string_view text) noexcept {
    std::size_t length = text.size();
    if (length > kLengthMax) {
      length = kLengthMax;
      while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
    }
    for (std::size_t i = 0; i < length; ++i) text_[i] = text[i];
    length_ = static_cast<std::uint8_t>(length);
  }
  constexpr ScopeName(const char* text) noexcept : ScopeName(std::string_view(text)) {}
  ScopeName(const std::string& text) noexcept : ScopeName(std::string_view(text)) {}

  [[nodiscard]] constexpr std::string_view view() const noexcept { return {text_.data(), length_}; }
  [[nodiscard]] constexpr bool empty() const noexcept { return length_ == 0; }
  constexpr operator std::string_view() const noexcept { return view(); }

 private:
  std::array<char, kLengthMax + 1> text_{};
  std::uint8_t length_ = 0;
};

struct ScopeOptions {
  ScopeName name = {};
  std::optional<Clock::Steady> deadline = {};  // for whoever asks; the scope itself never ends work
  std::optional<TraceContext> trace = {};      // without one, a new trace when first asked for
  const Clock* clock = &SystemClock::get();    // outlives the scope
};

class Scope : public std::enable_shared_from_this<Scope> {
 public:
  class Entry;
  class Loan;
  static constexpr std::uint32_t kDepthMax = 1000;

  // Opens and enters a scope on this thread.
  explicit Scope(const ScopeOptions& options = {});
  // The same, holding copies of the snapshot's values, and where `options` leaves them out its
  // name, its deadline and a child of its trace.
  explicit Scope(const Snapshot& snapshot, const ScopeOptions& options);
  explicit Scope(const Snapshot& snapshot, const ScopeName& name = {});
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  // A scope that no thread is in yet: see Entry. It closes when the last owner lets go of it.
  [[nodiscard]] static std::shared_ptr<Scope> suspended(const ScopeOptions& options = {});
  [[nodiscard]] static std::shared_ptr<Scope> suspended(const Snapshot& snapshot,
                                                        const ScopeOptions& options = {});

  // The innermost scope that this thread is in; nullptr outside any.
  [[nodiscard]] static Scope* current() noexcept { return scope::here.scope; }

  [[nodiscard]] std::string_view name() const noexcept { return name_.view(); }
  // When it was opened; worked out when first asked for, to a part in a thousand of its age.
  [[nodiscard]] Clock::Steady started() const noexcept;
  // How long ago that is.
  [[nodiscard]] std::chrono::nanoseconds age() const noexcept;
  [[nodiscard]] std::optional<Clock::Steady> deadline() const noexcept { return deadline_; }
  [[nodiscard]] const Clock& clock() const noexcept { return *clock_; }
  // Whether the deadline has passed; false without one.
  [[nodiscard]] bool expired() const noexcept {
    return deadline_ && clock_->steady_now() >= *deadline_;
  }
  // This scope's place in its trace: as given, or a child of the snapshot's, or a new one.
  [[nodiscard]] const TraceContext& trace() const;
  // How many scopes are open around this one on this thread.
  [[nodiscard]] std::uint32_t depth() const noexcept { return depth_; }
  // Whether it is away from its coroutine's executor: see Loan.
  [[nodiscard]] bool lent() const noexcept { return lent_.load(std::memory_order_acquire); }

 private:
  friend class scope::Access;
  enum class Kind : std::uint8_t { plain, suspended };
  enum class TraceState : std::uint8_t { none, parent, own };

  Scope(Kind kind, const ScopeName& name, const Clock& clock);
  Scope(Kind kind, const ScopeOptions& options);
  Scope(Kind kind, const Snapshot& snapshot, const ScopeOptions& options);
  void derive_from(const scope::Captured& captured);
  void open();
  void close_elsewhere() noexcept;
  void destroy_values() noexcept;
  [[nodiscard]] bool is_open_on_this_thread() const noexcept;

  // First, so that a RequestLocal's address computation is one addition.
  scope::ValueMap values_;
  ScopeName name_;
  const Clock* clock_;
  std::uint64_t started_ticks_;
  mutable std::optional<Clock::Steady> started_;
  std::optional<Clock::Steady> deadline_;
  mutable TraceContext trace_;
  mutable TraceState trace_state_ = TraceState::none;
  Kind kind_;
  bool carried_;       // suspended, or opened within such a scope
  bool open_ = false;  // plain: entered
  std::uint32_t depth_ = 0;
  Scope* outer_ = nullptr;       // plain: the scope that was current before
  std::shared_ptr<Scope> root_;  // plain: the suspended scope that it was opened within, if any
  Scope* innermost_ = this;      // suspended: where an Entry continues
  std::atomic<const void*> user_{nullptr};  // suspended: the thread that entered it last
  std::atomic<std::uint64_t> entries_{0};   // suspended: how often it was entered
  std::atomic<bool> lent_{false};           // suspended: a Loan lives
};

// Entry: this thread is inside a suspended scope while the Entry lives; then where it was before.
//
//   const auto scope = Scope::suspended({.name = "upload"});
//   {
//     Scope::Entry entry(*scope);            // on any thread, one at a time
//     uploader.get().feed(chunk);
//   }
//
// The scope may already run on another thread when the Entry ends (its coroutine was resumed
// there): leaving touches only this thread.
class [[nodiscard]] Scope::Entry {
 public:
  explicit Entry(Scope& scope) noexcept;
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry();

 private:
  Scope* outer_;
};

// Loan: while it lives, a suspended scope is away with one piece of its coroutine's work, on a
// thread that the coroutine's executor does not know. Handlers of a scope_executor find no scope
// meanwhile, instead of using this one from two threads.
//
// Threads: begun where the coroutine runs; may end on any thread, after the borrower's Entry.
class [[nodiscard]] Scope::Loan {
 public:
  // Lending a scope that is lent is a bug.
  explicit Loan(std::shared_ptr<Scope> scope) noexcept;
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan();

 private:
  std::shared_ptr<Scope> scope_;
};

namespace scope {

// What RequestLocal and Snapshot may do with a Scope.
class Access {
 public:
  static ValueMap& values(Scope& scope) noexcept { return scope.values_; }
  static const ValueMap& values(const Scope& scope) noexcept { return scope.values_; }
  static const ScopeName& name(const Scope& scope) noexcept { return scope.name_; }
  static std::uint64_t started_ticks(const Scope& scope) noexcept { return scope.started_ticks_; }
  // Changes whenever the scope is entered: what was true before a suspension may not be any more.
  static std::uint64_t entries(const Scope& scope) noexcept;
  // Asserts that no other thread has entered the scope since this one did.
  static void check_thread(const Scope& scope) noexcept {
    if (is_carried(scope)) check_user(scope);  // a plain scope is current on its own thread only
  }
  // The suspended scope that keeps this one's coroutine; null for scopes of one thread.
  static std::shared_ptr<Scope> root(Scope& scope) noexcept {
    return is_carried(scope) ? root_of_carried(scope) : nullptr;
  }

  // Whether the scope may go from thread to thread.
  static bool is_carried(const Scope& scope) noexcept { return scope.carried_; }

 private:
  static void check_user(const Scope& scope) noexcept;
  static std::shared_ptr<Scope> root_of_carried(Scope& scope) noexcept;
};

// This thread is in no scope while the guard lives.
class [[nodiscard]] OutsideAnyScope {
 public:
  OutsideAnyScope() noexcept;
  OutsideAnyScope(const OutsideAnyScope&) = delete;
  OutsideAnyScope& operator=(const OutsideAnyScope&) = delete;
  ~OutsideAnyScope();

 private:
  Scope* outer_;
};

}  // namespace scope
}  // namespace carrel
