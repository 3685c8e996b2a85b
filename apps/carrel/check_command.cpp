#include "carrel/check_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "carrel/base/error.h"
#include "carrel/book_check.h"
#include "ledger/http/views.h"

namespace carrel::program {
namespace {

using ledger::CheckReport;

constexpr int kStatusNotClean = 1;
constexpr int kStatusNotChecked = 2;

struct Arguments {
  std::string data = "./data";
  std::string server;
  std::string acks;
  bool json = false;
};

std::vector<CheckReport> check(const Arguments& arguments) {
  AcknowledgedKeys acknowledged;
  if (!arguments.acks.empty()) acknowledged = read_acknowledged_keys(arguments.acks);
  if (!arguments.server.empty()) return check_server(arguments.server, acknowledged);
  try {
    return check_files(arguments.data, acknowledged);
  } catch (const Error& error) {
    const std::string url = error.code() == "sql.in_use" ? find_server(arguments.data) : "";
    if (url.empty()) throw;
    std::cerr << "carrel check: the books in '" << arguments.data << "' are served by " << url
              << "; asking it\n";
    return check_server(url, acknowledged);
  }
}

bool all_clean(const std::vector<CheckReport>& reports) {
  return std::all_of(reports.begin(), reports.end(),
                     [](const CheckReport& report) { return report.clean(); });
}

void print_text(const std::vector<CheckReport>& reports) {
  for (const CheckReport& report : reports) {
    std::cout << fmt::format(
        "{} book: {}\n", to_string(report.book),
        report.clean() ? "clean" : fmt::format("{} violations", report.violation_count));
    for (const ledger::RowCount& count : report.counts)
      std::cout << fmt::format("  {:>12} {}\n", count.rows, count.table);
    for (const ledger::Violation& violation : report.violations)
      std::cout << fmt::format("  {}: {}: {}\n", violation.check, violation.row, violation.detail);
    const auto shown = static_cast<std::int64_t>(report.violations.size());
    if (shown < report.violation_count)
      std::cout << fmt::format("  ... and {} more\n", report.violation_count - shown);
  }
  std::cout << (all_clean(reports) ? "clean\n" : "NOT CLEAN\n") << std::flush;
}

void print_json(const std::vector<CheckReport>& reports) {
  boost::json::array books;
  for (const CheckReport& report : reports)
    books.push_back(boost::json::parse(ledger::http::to_json(report)));
  const boost::json::object document{{"clean", all_clean(reports)}, {"books", std::move(books)}};
  std::cout << boost::json::serialize(document) << std::endl;
}

constexpr const char* kFooter = R"(Examples:
  carrel check                                   the books in ./data, or the server on them
  carrel check --data /srv/books --acks acks.txt
  carrel check --server http://127.0.0.1:8080 --json

Ends with 0 if both books are clean, 1 if not, 2 if they could not be checked.)";

}  // namespace

void add_check_command(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();  // lives as long as the callback that uses it
  CLI::App* command = app.add_subcommand(
      "check", "Verify both books: debit = credit, balances = entries, one key one voucher, ...");
  CLI::Option* data =
      command
          ->add_option("--data", arguments->data,
                       "Folder of the books' files; if a server has them open, it is asked")
          ->capture_default_str();
  command->add_option("--server", arguments->server, "Ask this running server")->excludes(data);
  command->add_option("--acks", arguments->acks,
                      "Every key in this file, written by carrel load --acks, must be booked");
  command->add_flag("--json", arguments->json, "Print the report as JSON");
  command->footer(kFooter);
  command->callback([arguments] {
    try {
      const std::vector<CheckReport> reports = check(*arguments);
      arguments->json ? print_json(reports) : print_text(reports);
      if (!all_clean(reports)) throw CLI::RuntimeError(kStatusNotClean);
    } catch (const Error& error) {
      std::cerr << "carrel check: " << error.what() << '\n';
      throw CLI::RuntimeError(kStatusNotChecked);
    }
  });
}

}  // namespace carrel::program
