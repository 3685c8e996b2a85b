// Boundary: the door that every task of a pool passes. It opens the task's scope, runs the task,
// closes the scope, and then looks at what the task has left on the thread.
//
// Put one around each task of whatever runs tasks on reused threads: an event loop, a thread pool
// of your own or of somebody else. WorkerPool has one built in. Not needed around parts of a task.
//
//   Boundary boundary({.audit = AuditPolicy::clear});
//   foreign_pool.submit([&] {
//     boundary.run({.name = "resize"}, [&] { resize(image); });
//   });
//   std::cout << boundary.leftovers() << " thread values left behind so far\n";
//
// A leftover is a ThreadLocal value that the task created or replaced and did not take away. Caches
// of the thread are declared so (Lifetime::thread) and are none. Values that the task's scope held
// died with it before the look. What destructors of leftovers make is cleared as well, in 8 rounds;
// what there is even then stays, and is reported.
//
// Threads: run() is safe from any number of threads at a time; so are the counts.
// Lifetime: outlives its tasks. on_leftover is called on the task's thread, outside its scope.
// Errors: run() passes on what the task throws, after the audit. A printer that throws is counted
// and reported on stderr; it disturbs neither the task's result nor the next task. A task whose
// scope cannot be opened (Error "scope.too_deep") has not run and is not counted. Where the audit
// finds no memory, it clears and counts all the same, and says less.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "carrel/local/internal/audit.h"
#include "carrel/scope/scope.h"

namespace carrel {

enum class AuditPolicy {
  report,  // count and report leftovers, and leave them where they are
  clear,   // count, report and remove them
  abort,   // report them and stop the program: for tests
  off,     // do not look
};

// One value that a task left on its thread.
struct Leftover {
  std::string variable;
  std::string type;
  std::size_t bytes = 0;                // as the value's owner last said; else sizeof
  std::chrono::milliseconds age{};      // since the value was made, to 10 ms
  std::string task;                     // the name of the task's scope
  std::chrono::nanoseconds task_age{};  // from the start of the task to the audit
};

struct BoundaryOptions {
  AuditPolicy audit = AuditPolicy::clear;
  // Called once per task that left something. Empty: a line to stderr, at most one a second.
  std::function<void(std::span<const Leftover>)> on_leftover = {};
};

// How long scopes were open: `counts[i]` of them at most kBounds[i], the last of them longer.
struct ScopeTimes {
  static constexpr std::array<std::chrono::nanoseconds, 7> kBounds{
      std::chrono::microseconds(10), std::chrono::microseconds(100), std::chrono::milliseconds(1),
      std::chrono::milliseconds(10), std::chrono::milliseconds(100), std::chrono::seconds(1),
      std::chrono::seconds(10)};
  std::array<std::uint64_t, kBounds.size() + 1> counts{};
  std::chrono::nanoseconds total{};
};

class Boundary {
 public:
  explicit Boundary(BoundaryOptions options = {});
  Boundary(const Boundary&) = delete;
  Boundary& operator=(const Boundary&) = delete;
  ~Boundary();

  // Calls `task` in a scope of its own and returns what it returns. A boundary inside another (a
  // task that runs in its caller) answers for its own task only.
  template <std::invocable F>
  decltype(auto) run(const ScopeOptions& options, F&& task) {
    const Passage passage(*this, options);
    return std::invoke(std::forward<F>(task));
  }

  // The figures since construction. Exact for tasks that have ended.
  [[nodiscard]] std::uint64_t tasks() const noexcept;
  [[nodiscard]] std::uint64_t leftovers() const noexcept;
  [[nodiscard]] std::uint64_t printer_failures() const noexcept;
  [[nodiscard]] std::map<std::string, std::uint64_t> leftovers_by_variable() const;
  [[nodiscard]] ScopeTimes scope_times() const noexcept;

 private:
  struct Figures;

  // Where the thread's map stood when the task began; compares when it goes.
  class Audit {
   public:
    Audit(Boundary& boundary, const ScopeOptions& options) noexcept
        : boundary_(boundary), options_(options), mark_(local::mark_audit()) {}
    Audit(const Audit&) = delete;
    Audit& operator=(const Audit&) = delete;
    ~Audit();

   protected:
    void began(const Scope& scope) noexcept {
      started_ticks_ = scope::Access::started_ticks(scope);
    }

   private:
    static constexpr std::uint64_t kNotBegun = ~std::uint64_t{0};

    std::uint64_t started_ticks_ = kNotBegun;
    Boundary& boundary_;
    const ScopeOptions& options_;
    local::AuditMark mark_;
  };
  // A base is destroyed after the members: the scope closes, then the audit looks.
  class Passage : private Audit {
   public:
    Passage(Boundary& boundary, const ScopeOptions& options)
        : Audit(boundary, options), scope_(options) {
      began(scope_);
    }

   private:
    Scope scope_;
  };

  void audit(local::AuditMark mark, const ScopeOptions& task,
             std::chrono::nanoseconds age) noexcept;
  void report(std::span<const Leftover> found, const Clock& clock) noexcept;

  BoundaryOptions options_;
  std::unique_ptr<Figures> figures_;
};

}  // namespace carrel
