#include "client/load.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <system_error>

#include "carrel/base/error.h"
#include "client/ack_log.h"
#include "client/replay.h"

namespace carrel::client {
namespace {

class Observer final : public ReplayObserver {
 public:
  Observer(const LoadOptions& options, const OperationReader& reader, const Schedule& schedule,
           std::uint64_t file_size, ProgressDisplay& display)
      : reader_(reader), schedule_(schedule), file_size_(file_size), display_(display) {
    if (!options.acks.empty()) acks_.emplace(options.acks);
  }

  void acknowledged(const Operation& operation) override {
    if (acks_) acks_->append(operation);
  }

  void progressed(const LoadReport& so_far) override {
    display_.show({.fraction = fraction(so_far),
                   .answered = so_far.totals().total(),
                   .elapsed = so_far.elapsed,
                   .p99 = so_far.latency().percentile(99)});
  }

 private:
  // Of the file's bytes, those read are known; of the operations read, those answered.
  [[nodiscard]] double fraction(const LoadReport& so_far) const {
    if (file_size_ == 0) return -1;
    if (schedule_.finished()) return 1;
    const auto answered = static_cast<double>(so_far.totals().total());
    const auto read = answered + static_cast<double>(schedule_.unanswered());
    if (read <= 0) return 0;
    return static_cast<double>(reader_.bytes_read()) / static_cast<double>(file_size_) * answered /
           read;
  }

  const OperationReader& reader_;
  const Schedule& schedule_;
  const std::uint64_t file_size_;
  ProgressDisplay& display_;
  std::optional<AckLog> acks_;
};

// Size of a regular file; 0 for a pipe and the like, whose end nobody knows.
std::uint64_t size_of(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return 0;
  const auto size = std::filesystem::file_size(path, unknown);
  return unknown ? 0 : size;
}

std::ifstream open_file(const std::string& path) {
  if (std::filesystem::is_directory(path))
    throw Error("client.file_unreadable", fmt::format("{} is a folder, not a file", path));
  std::ifstream file(path);
  if (!file)
    throw Error("client.file_unreadable",
                fmt::format("cannot read {}: {}", path, std::generic_category().message(errno)));
  return file;
}

void explain_end(const LoadReport& report, std::ostream& out) {
  if (report.ending == Ending::complete) return;
  out << fmt::format("\nstopped: {}\n", report.ending_detail);
  if (report.first_unanswered_line)
    out << fmt::format("The first line without an answer is {}:{}.\n", report.file,
                       *report.first_unanswered_line);
  out << "The same file may be replayed from its beginning: what was done is not done twice.\n";
}

}  // namespace

int run_load(const LoadOptions& options, const LoadOutput& output) {
  const bool from_stdin = options.file == "-";
  const ReplayOptions replay_options{.server = ServerAddress::parse(options.server),
                                     .connections = options.connections,
                                     .patience = options.patience,
                                     .answer_within = options.answer_within};
  std::ifstream file;
  if (!from_stdin) file = open_file(options.file);
  OperationReader reader(from_stdin ? std::cin : file, options.on_malformed);
  Schedule schedule(reader);

  LoadReport report;
  {
    ProgressDisplay display(output.progress, output.progress_style);
    Observer observer(options, reader, schedule, from_stdin ? 0 : size_of(options.file), display);
    report = replay(schedule, replay_options, observer);
  }
  report.file = from_stdin ? "standard input" : options.file;
  report.malformed_lines = reader.malformed_lines();
  report.malformed = reader.malformed();
  if (options.on_malformed == OnMalformed::stop && reader.malformed_lines() > 0 &&
      report.ending == Ending::complete) {
    report.ending = Ending::malformed_line;
    report.ending_detail = "a malformed line; nothing was sent from it on";
    report.first_unanswered_line = reader.malformed().front().line;
  }
  if (options.form == ReportForm::json) {
    output.report << report.to_json() << std::endl;
  } else {
    output.report << report.to_text();
    explain_end(report, output.report);
    output.report.flush();
  }
  return report.everything_answered() ? 0 : 1;
}

}  // namespace carrel::client
