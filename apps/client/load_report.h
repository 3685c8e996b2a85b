// LoadReport: what became of the operations of a replay; as text for people, as JSON for programs.
//
// Every operation that was sent ends in one of four ways:
//   accepted  the server did it now
//   replayed  the server had done it before, under the same key, and gave the same answer
//   refused   the server said no for good (a 4xx with a problem document); nothing moved
//   failed    there is no definite answer: tries or patience ran out, or the server broke
//
// Threads: one. The JSON fields are documented in docs/reference/carrel-load.md.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/latency_histogram.h"
#include "client/operation.h"

namespace carrel::client {

enum class Verdict { accepted, replayed, refused, failed };

struct Outcome {
  Verdict verdict = Verdict::failed;
  int status = 0;      // HTTP; 0 when no answer came
  std::string code;    // of the problem document
  std::string rule;    // of the problem document; empty when no rule was asked
  std::string detail;  // for a failure: what happened, in words
};

// Why a replay ended.
enum class Ending { complete, malformed_line, server_away, interrupted };

class LoadReport {
 public:
  struct Counts {
    std::array<std::uint64_t, 4> by_verdict{};
    [[nodiscard]] std::uint64_t of(Verdict verdict) const noexcept {
      return by_verdict[static_cast<std::size_t>(verdict)];
    }
    [[nodiscard]] std::uint64_t total() const noexcept;
  };

  void record(const Operation& operation, const Outcome& outcome, std::chrono::nanoseconds latency);
  void record_busy() noexcept { ++busy_answers_; }
  void record_broken() noexcept { ++broken_requests_; }

  [[nodiscard]] const Counts& totals() const noexcept { return totals_; }
  [[nodiscard]] const LatencyHistogram& latency() const noexcept { return latency_; }

  // Exit status 0: everything in the file has a definite answer.
  [[nodiscard]] bool everything_answered() const noexcept;

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string to_json() const;

  // Filled in by the replay.
  std::string file;
  std::string server;
  std::size_t connections = 0;
  std::chrono::nanoseconds elapsed{0};
  Ending ending = Ending::complete;
  std::string ending_detail;                           // in words, empty when complete
  std::optional<std::uint64_t> first_unanswered_line;  // empty when complete
  std::uint64_t malformed_lines = 0;
  std::vector<Malformed> malformed;

 private:
  struct Refusal {
    Book book;
    Kind kind;
    std::string code;
    std::string rule;
    auto operator<=>(const Refusal&) const = default;
  };
  struct Failure {
    std::uint64_t line;
    std::string detail;
  };

  using CountedRefusal = std::pair<Refusal, std::uint64_t>;

  [[nodiscard]] double operations_per_second() const noexcept;
  [[nodiscard]] const Counts& counts_of(Book book, Kind kind) const noexcept;
  [[nodiscard]] std::vector<CountedRefusal> refusals_by_count() const;

  std::array<Counts, 8> counts_{};  // by book and kind
  Counts totals_;
  std::map<Refusal, std::uint64_t> refusals_;
  std::vector<Failure> failures_;  // the first few
  LatencyHistogram latency_;
  std::uint64_t busy_answers_ = 0;
  std::uint64_t broken_requests_ = 0;
};

}  // namespace carrel::client
