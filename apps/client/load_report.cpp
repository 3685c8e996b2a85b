#include "client/load_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <numeric>
#include <string_view>
#include <utility>

namespace carrel::client {
namespace {

namespace json = boost::json;

constexpr std::size_t kFailuresKept = 10;
constexpr std::size_t kRefusalsShown = 20;
constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};

std::size_t index_of(Book book, Kind kind) {
  return static_cast<std::size_t>(book) * std::size(kKinds) + static_cast<std::size_t>(kind);
}

double in_ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string_view name_of(Ending ending) {
  switch (ending) {
    case Ending::complete:
      return "complete";
    case Ending::malformed_line:
      return "malformed_line";
    case Ending::server_away:
      return "server_away";
    case Ending::interrupted:
      return "interrupted";
  }
  return "?";
}

// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

json::string text(std::string_view content) {
  return json::string(content.data(), content.size());
}

}  // namespace

std::uint64_t LoadReport::Counts::total() const noexcept {
  return std::accumulate(by_verdict.begin(), by_verdict.end(), std::uint64_t{0});
}

void LoadReport::record(const Operation& operation, const Outcome& outcome,
                        std::chrono::nanoseconds latency) {
  const auto verdict = static_cast<std::size_t>(outcome.verdict);
  ++counts_[index_of(operation.book, operation.kind)].by_verdict[verdict];
  ++totals_.by_verdict[verdict];
  if (outcome.verdict == Verdict::failed) {
    if (failures_.size() < kFailuresKept) failures_.push_back({operation.line, outcome.detail});
    return;  // no answer, no latency
  }
  latency_.record(latency);
  if (outcome.verdict == Verdict::refused)
    ++refusals_[Refusal{operation.book, operation.kind, outcome.code, outcome.rule}];
}

bool LoadReport::everything_answered() const noexcept {
  return ending == Ending::complete && malformed_lines == 0 && totals_.of(Verdict::failed) == 0;
}

double LoadReport::operations_per_second() const noexcept {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  return seconds > 0 ? static_cast<double>(totals_.total()) / seconds : 0;
}

const LoadReport::Counts& LoadReport::counts_of(Book book, Kind kind) const noexcept {
  return counts_[index_of(book, kind)];
}

std::vector<LoadReport::CountedRefusal> LoadReport::refusals_by_count() const {
  std::vector<CountedRefusal> sorted(refusals_.begin(), refusals_.end());
  std::ranges::sort(sorted, [](const CountedRefusal& left, const CountedRefusal& right) {
    return left.second != right.second ? left.second > right.second : left.first < right.first;
  });
  return sorted;
}

std::string LoadReport::to_text() const {
  std::string out =
      fmt::format("{} operations of {} answered by {} over {} connections in {:.1f} s\n\n",
                  grouped(totals_.total()), file, server, connections,
                  std::chrono::duration<double>(elapsed).count());
  auto to_out = std::back_inserter(out);
  const auto row = [&](std::string_view book, std::string_view kind, const Counts& counts) {
    fmt::format_to(to_out, "{:<10}{:<8}{:>12}{:>12}{:>12}{:>12}\n", book, kind,
                   grouped(counts.of(Verdict::accepted)), grouped(counts.of(Verdict::replayed)),
                   grouped(counts.of(Verdict::refused)), grouped(counts.of(Verdict::failed)));
  };
  fmt::format_to(to_out, "{:<10}{:<8}{:>12}{:>12}{:>12}{:>12}\n", "book", "kind", "accepted",
                 "replayed", "refused", "failed");
  for (const Book book : kBooks)
    for (const Kind kind : kKinds)
      if (const Counts& counts = counts_of(book, kind); counts.total() > 0)
        row(client::name_of(book), client::name_of(kind), counts);
  row("total", "", totals_);

  const auto refusals = refusals_by_count();
  if (!refusals.empty()) out += "\nrefused, by reason\n";
  for (std::size_t i = 0; i < std::min(refusals.size(), kRefusalsShown); ++i) {
    const auto& [refusal, count] = refusals[i];
    fmt::format_to(to_out, "{:>12}  {} {}: {}{}\n", grouped(count), client::name_of(refusal.book),
                   client::name_of(refusal.kind), refusal.code,
                   refusal.rule.empty() ? "" : fmt::format(" (rule {})", refusal.rule));
  }
  if (!failures_.empty()) out += "\nfailed, the first of them\n";
  for (const Failure& failure : failures_)
    fmt::format_to(to_out, "  line {}: {}\n", failure.line, failure.detail);
  if (malformed_lines > 0)
    fmt::format_to(to_out, "\nmalformed lines: {}\n", grouped(malformed_lines));
  for (const Malformed& line : malformed)
    fmt::format_to(to_out, "  {}:{}: {}\n", file, line.line, line.reason);

  fmt::format_to(to_out, "\nthroughput  {} operations/s\nlatency    ",
                 grouped(static_cast<std::uint64_t>(operations_per_second())));
  for (const auto& [name, percent] : kPercentiles)
    fmt::format_to(to_out, " {} {:.2f} ms ", name, in_ms(latency_.percentile(percent)));
  fmt::format_to(to_out, " max {:.2f} ms\n", in_ms(latency_.max()));
  if (busy_answers_ + broken_requests_ > 0)
    fmt::format_to(to_out, "sent again  {} after \"busy\", {} after a broken connection\n",
                   grouped(busy_answers_), grouped(broken_requests_));
  return out;
}

std::string LoadReport::to_json() const {
  const auto counts_object = [](const Counts& counts) {
    return json::object{{"accepted", counts.of(Verdict::accepted)},
                        {"replayed", counts.of(Verdict::replayed)},
                        {"refused", counts.of(Verdict::refused)},
                        {"failed", counts.of(Verdict::failed)}};
  };
  json::array by_kind;
  for (const Book book : kBooks)
    for (const Kind kind : kKinds)
      if (const Counts& counts = counts_of(book, kind); counts.total() > 0) {
        json::object entry = counts_object(counts);
        entry["book"] = text(client::name_of(book));
        entry["kind"] = text(client::name_of(kind));
        by_kind.push_back(std::move(entry));
      }
  json::array refusals;
  for (const auto& [refusal, count] : refusals_by_count())
    refusals.push_back({{"book", text(client::name_of(refusal.book))},
                        {"kind", text(client::name_of(refusal.kind))},
                        {"code", refusal.code},
                        {"rule", refusal.rule},
                        {"count", count}});
  json::array failures;
  for (const Failure& failure : failures_)
    failures.push_back({{"line", failure.line}, {"detail", failure.detail}});
  json::array malformed_list;
  for (const Malformed& line : malformed)
    malformed_list.push_back({{"line", line.line}, {"reason", line.reason}});
  json::object latency;
  for (const auto& [name, percent] : kPercentiles)
    latency[name] = in_ms(latency_.percentile(percent));
  latency["max"] = in_ms(latency_.max());

  json::object root = {
      {"file", file},
      {"server", server},
      {"connections", connections},
      {"seconds", std::chrono::duration<double>(elapsed).count()},
      {"ending", text(name_of(ending))},
      {"ending_detail", ending_detail},
      {"first_unanswered_line", nullptr},
      {"operations", totals_.total()},
      {"totals", counts_object(totals_)},
      {"by_kind", std::move(by_kind)},
      {"refusals", std::move(refusals)},
      {"failures", std::move(failures)},
      {"malformed_lines", malformed_lines},
      {"malformed", std::move(malformed_list)},
      {"operations_per_second", operations_per_second()},
      {"latency_ms", std::move(latency)},
      {"sent_again", {{"busy", busy_answers_}, {"broken", broken_requests_}}},
  };
  if (first_unanswered_line) root["first_unanswered_line"] = *first_unanswered_line;
  return json::serialize(root);
}

}  // namespace carrel::client
