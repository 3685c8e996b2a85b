// Handovers: serves requests whose work goes on elsewhere, and judges what context it finds there.
// The machinery of the experiment `context`.
//
// Threads: serve() by one thread. Lifetime: makes and ends its pools.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "carrel/scope/trace_context.h"
#include "lab/context.h"

namespace carrel::lab {

enum class Handover { pool, nested, coroutine };
enum class ContextIn { thread_local_variable, request };

[[nodiscard]] std::string_view name_of(Handover handover) noexcept;

// Who asks.
struct Identity {
  std::int64_t tenant = 0;
  TraceContext trace = {};
};

// The n-th request's.
[[nodiscard]] Identity identity_of(std::size_t request);

// What the far side found, and what it should have found.
class Judgement {
 public:
  void judge(const Identity& asked, const std::optional<Identity>& found) noexcept;

  [[nodiscard]] std::int64_t right() const noexcept { return right_; }
  [[nodiscard]] std::int64_t lost() const noexcept { return lost_; }
  [[nodiscard]] std::int64_t stale() const noexcept { return stale_; }

 private:
  std::atomic<std::int64_t> right_{0};
  std::atomic<std::int64_t> lost_{0};
  std::atomic<std::int64_t> stale_{0};
};

class Handovers {
 public:
  Handovers(Handover handover, ContextIn context_in, const ContextOptions& options);
  Handovers(const Handovers&) = delete;
  Handovers& operator=(const Handovers&) = delete;
  ~Handovers();

  // Serves the requests of these numbers, and returns when all their work is done.
  void serve(std::size_t first, std::size_t end);
  [[nodiscard]] const Judgement& judgement() const noexcept;

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace carrel::lab
