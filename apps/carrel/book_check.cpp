#include "carrel/book_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <span>

#include "carrel/base/error.h"
#include "carrel/http_call.h"
#include "carrel/scope/scope.h"
#include "ledger/store/store.h"

namespace carrel::program {

namespace json = boost::json;
using ledger::Book;
using ledger::CheckReport;

namespace {

constexpr std::size_t kKeysPerRequest = 2'000;  // of at most 128 bytes: well below the body limit

std::span<const std::string> keys_of(const AcknowledgedKeys& acknowledged, Book book) {
  const auto found = acknowledged.find(book);
  if (found == acknowledged.end()) return {};
  return found->second;
}

// One report as the server writes it.
CheckReport read_report(const HttpAnswer& answer, Book book) {
  const auto bad = [&](std::string_view why) {
    return Error("check.bad_answer", fmt::format("the server's answer about the {} book is no "
                                                 "report ({}, status {}): {:.200}",
                                                 to_string(book), why, answer.status, answer.body));
  };
  if (answer.status != 200) throw bad("refused");
  try {
    const json::object document = json::parse(answer.body).as_object();
    CheckReport report;
    report.book = book;
    report.violation_count = document.at("violation_count").as_int64();
    for (const auto& row : document.at("rows").as_object())
      report.counts.push_back({.table = row.key(), .rows = row.value().as_int64()});
    for (const json::value& entry : document.at("violations").as_array()) {
      const json::object& violation = entry.as_object();
      const auto text = [&](const char* name) {
        return json::value_to<std::string>(violation.at(name));
      };
      report.violations.push_back({text("check"), text("row"), text("detail")});
    }
    return report;
  } catch (const std::exception& error) {  // whatever Boost.JSON throws about a wrong shape
    throw bad(error.what());
  }
}

void merge(CheckReport& into, const CheckReport& more) {
  into.violations.insert(into.violations.end(), more.violations.begin(), more.violations.end());
  into.violation_count += more.violation_count;
}

}  // namespace

AcknowledgedKeys read_acknowledged_keys(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw Error("check.acks", "cannot read '" + file.string() + "'");
  AcknowledgedKeys keys;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (in.eof()) break;
    const std::size_t tab = line.find('\t');
    const auto book = ledger::parse_book(std::string_view(line).substr(0, tab));
    if (!book || tab == line.npos || tab + 1 == line.size())
      throw Error("check.acks", fmt::format("{}:{}: not 'book TAB key'", file.string(), number));
    keys[*book].push_back(line.substr(tab + 1));
  }
  for (auto& [book, list] : keys) {  // replaying a file appends its keys again
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  return keys;
}

std::vector<CheckReport> check_files(const std::filesystem::path& folder,
                                     const AcknowledgedKeys& acknowledged) {
  // Opening makes books where there are none, and a mistyped folder would be found clean.
  for (const Book book : ledger::kBooks)
    if (!std::filesystem::exists(folder / (std::string(to_string(book)) + ".db")))
      throw Error("check.no_books",
                  fmt::format("there is no {} book in '{}'", to_string(book), folder.string()));
  const auto store = ledger::open_store({.folder = folder});
  std::vector<CheckReport> reports;
  for (const Book book : ledger::kBooks) {
    Scope scope({.name = "carrel check"});
    const auto bound = store->book().bind(book);
    reports.push_back(check_book(*store, {.acknowledged_keys = keys_of(acknowledged, book)}));
  }
  return reports;
}

std::vector<CheckReport> check_server(const std::string& url,
                                      const AcknowledgedKeys& acknowledged) {
  HttpCall http(url);
  std::vector<CheckReport> reports;
  for (const Book book : ledger::kBooks) {
    const std::string_view name = to_string(book);
    CheckReport report = read_report(http.get("/v1/check", name), book);
    const auto keys = keys_of(acknowledged, book);
    for (std::size_t begin = 0; begin < keys.size(); begin += kKeysPerRequest) {
      const auto page = keys.subspan(begin, std::min(kKeysPerRequest, keys.size() - begin));
      const json::object body{{"acknowledged_keys", json::array(page.begin(), page.end())}};
      merge(report, read_report(http.post("/v1/check", name, json::serialize(body)), book));
    }
    for (ledger::RowCount& count : report.counts)
      if (count.table == "acknowledged") count.rows = static_cast<std::int64_t>(keys.size());
    reports.push_back(std::move(report));
  }
  return reports;
}

std::string find_server(const std::filesystem::path& folder) {
  std::ifstream in(folder / "carrel.url");
  std::string url;
  std::getline(in, url);
  return url;
}

}  // namespace carrel::program
