#include "lab/mixup.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/request_local.h"
#include "carrel/session/session.h"
#include "lab/jvm_twin.h"
#include "lab/plain_pool.h"
#include "lab/random_draws.h"
#include "lab/temporary_folder.h"

namespace carrel::lab {
namespace {

constexpr std::size_t kStretches = 20;  // points of the chart
constexpr std::size_t kForgetfulRequests = 1000;

enum class Book { consumer, merchant };
constexpr Book kBooks[] = {Book::consumer, Book::merchant};
std::string_view name_of(Book book) {
  return book == Book::consumer ? "consumer" : "merchant";
}

std::string_view describe(MarkerHandling handling) {
  switch (handling) {
    case MarkerHandling::left_behind:
      return "thread_local, never removed";
    case MarkerHandling::by_hand:
      return "thread_local, set and removed by hand";
    case MarkerHandling::scope:
      return "bound in the request's scope";
  }
  return "?";
}

// What goes wrong at random in a request.
struct Mishap : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class MishapAt { never, before_the_row, after_the_row };

struct Request {
  std::int64_t number;
  Book book;
  MishapAt mishap;
};

// The n-th request of a seed is always the same, whatever thread serves it.
Request make_request(std::int64_t number, std::uint64_t seed, const MixupOptions& options) {
  RandomDraws draw(seed, number);
  Request request{number, draw.chance(options.merchant_share) ? Book::merchant : Book::consumer,
                  MishapAt::never};
  const double chance = draw.share();
  if (chance < options.exception_share)
    request.mishap =
        chance < options.exception_share / 2 ? MishapAt::before_the_row : MishapAt::after_the_row;
  return request;
}

// The marker as people have it: on the thread.
std::optional<Book>& thread_marker() {
  thread_local std::optional<Book> marker;
  return marker;
}

// Two books, each with a table of its own in an SQLite file of its own.
class Tables {
 public:
  explicit Tables(const std::filesystem::path& folder) {
    for (const Book book : kBooks) {
      const std::string name(name_of(book));
      drivers_.push_back(sqlite_driver(
          {.file = folder / (name + ".db"), .synchronous = SqliteSync::off}));  // thrown away
      pools_.push_back(std::make_unique<Pool>(PoolOptions{.name = name}, *drivers_.back()));
      pools_.back()->borrow()->execute(
          "create table " + table_of(book) + " (request integer primary key, owner text not null)",
          {});
    }
  }

  [[nodiscard]] std::vector<Route> routes() const {
    std::vector<Route> routes;
    for (const Book book : kBooks)
      routes.push_back({.name = std::string(name_of(book)),
                        .pool = pools_[static_cast<std::size_t>(book)].get(),
                        .tables = {{"voucher", table_of(book)}}});
    return routes;
  }

  [[nodiscard]] std::int64_t rows() const { return count("owner is not null"); }
  [[nodiscard]] std::int64_t wrong_rows(Book table) const {
    return count_in(table, "owner <> '" + std::string(name_of(table)) + "'");
  }
  [[nodiscard]] std::int64_t wrong_rows() const {
    return wrong_rows(Book::consumer) + wrong_rows(Book::merchant);
  }

 private:
  static std::string table_of(Book book) { return std::string(name_of(book)) + "_voucher"; }

  [[nodiscard]] std::int64_t count(const std::string& condition) const {
    return count_in(Book::consumer, condition) + count_in(Book::merchant, condition);
  }
  [[nodiscard]] std::int64_t count_in(Book table, const std::string& condition) const {
    return pools_[static_cast<std::size_t>(table)]
        ->borrow({.access = Access::read_only})
        ->execute("select count(*) from " + table_of(table) + " where " + condition, {})
        .one()
        .get<std::int64_t>(0);
  }

  std::vector<std::unique_ptr<Driver>> drivers_;
  std::vector<std::unique_ptr<Pool>> pools_;
};

// The service under test: everything below the entry is the same for all ways to keep the marker.
class Service {
 public:
  Service(const Tables& tables, MarkerHandling handling)
      : handling_(handling),
        session_({.routes = tables.routes(), .marker = [this] { return marker(); }}) {}

  // The entry: one request on the thread of a pool. Like any server's it survives its handlers.
  void serve(const Request& request) {
    try {
      boundary_.run({.name = "POST /vouchers"}, [&] { enter(request); });
    } catch (const Mishap&) {
      ++mishaps_;
    }
  }

  // A request whose entry forgot the marker. Returns whether it was stopped for that.
  bool serve_without_marker(const Request& request) {
    try {
      boundary_.run({.name = "POST /vouchers"}, [&] { handle(request); });
      return false;
    } catch (const Error& error) {
      return error.code() == "no_marker";
    }
  }

  [[nodiscard]] std::int64_t mishaps() const { return mishaps_; }

 private:
  void enter(const Request& request) {
    switch (handling_) {
      case MarkerHandling::left_behind:
        if (request.book == Book::merchant) thread_marker() = Book::merchant;
        handle(request);
        break;
      case MarkerHandling::by_hand:
        if (request.book == Book::merchant) thread_marker() = Book::merchant;
        handle(request);
        thread_marker().reset();
        break;
      case MarkerHandling::scope: {
        const auto bound = book_.bind(request.book);
        handle(request);
        break;
      }
    }
  }

  // Knows nothing of books: the table slot is filled in by whatever the marker says.
  void handle(const Request& request) {
    session_.transaction([&] {
      if (request.mishap == MishapAt::before_the_row) throw Mishap("before the row");
      session_.execute("insert into {voucher} (request, owner) values ($1, $2)", request.number,
                       name_of(request.book));
      if (request.mishap == MishapAt::after_the_row) throw Mishap("after the row");
    });
  }

  std::optional<std::string_view> marker() const {
    if (handling_ != MarkerHandling::scope)
      return name_of(thread_marker().value_or(Book::consumer));  // as before there were merchants
    const Book* const book = book_.find();
    return book ? std::optional(name_of(*book)) : std::nullopt;
  }

  const MarkerHandling handling_;
  RequestLocal<Book> book_{"book"};
  Session session_;
  Boundary boundary_;
  std::atomic<std::int64_t> mishaps_{0};
};

struct Trial {
  MarkerHandling handling;
  std::int64_t requests = 0;
  std::int64_t mishaps = 0;
  std::int64_t rows = 0;
  std::int64_t wrong_in_consumer = 0;
  std::int64_t wrong_in_merchant = 0;
  std::int64_t forgetful_stopped = 0;  // requests without a marker that wrote nothing
  Series wrong_over_time;

  [[nodiscard]] std::int64_t wrong() const { return wrong_in_consumer + wrong_in_merchant; }
};

Trial run_trial(MarkerHandling handling, const MixupOptions& options, const Context& context) {
  context.progress(fmt::format("{} requests, marker {}", options.requests, describe(handling)));
  const TemporaryFolder folder;
  const Tables tables(folder.path());
  Service service(tables, handling);
  PlainPool pool(options.threads);
  Trial trial{.handling = handling, .wrong_over_time = {std::string(describe(handling)), {{0, 0}}}};

  const auto serve_until = [&](std::int64_t end) {
    for (std::int64_t& number = trial.requests; number < end; ++number)
      pool.post([&service, request = make_request(number, context.seed, options)] {
        service.serve(request);
      });
    pool.wait_until_idle();
  };
  for (std::size_t stretch = 1; stretch <= kStretches; ++stretch) {
    serve_until(static_cast<std::int64_t>(options.requests * stretch / kStretches));
    trial.wrong_over_time.points.push_back(
        {static_cast<double>(trial.requests) / 1000, static_cast<double>(tables.wrong_rows())});
  }
  trial.mishaps = service.mishaps();
  trial.rows = tables.rows();
  trial.wrong_in_consumer = tables.wrong_rows(Book::consumer);
  trial.wrong_in_merchant = tables.wrong_rows(Book::merchant);

  std::atomic<std::int64_t> stopped = 0;
  for (std::size_t i = 0; i < kForgetfulRequests; ++i)
    pool.post([&, number = trial.requests + static_cast<std::int64_t>(i)] {
      stopped += service.serve_without_marker({number, Book::merchant, MishapAt::never}) ? 1 : 0;
    });
  pool.wait_until_idle();
  trial.forgetful_stopped = stopped;
  return trial;
}

// The twin's handling that answers to ours: a finally block is the JVM's nearest to a scope.
std::string_view jvm_name_of(MarkerHandling handling) {
  switch (handling) {
    case MarkerHandling::left_behind:
      return "never removed";
    case MarkerHandling::by_hand:
      return "removed by hand";
    case MarkerHandling::scope:
      return "removed in finally";
  }
  return "?";
}

Table table_of(const std::array<Trial, 3>& trials, const JvmTwin& twin) {
  Table table{.title = "Rows in the tables of both books",
              .columns = {{"marker"},
                          {"requests"},
                          {"exceptions"},
                          {"rows"},
                          {"merchants' rows at consumers"},
                          {"consumers' rows at merchants"},
                          {"of 1000 without marker, stopped"},
                          {"JVM, wrong rows"}},
              .rows = {}};
  for (const Trial& trial : trials)
    table.rows.push_back({std::string(describe(trial.handling)), trial.requests, trial.mishaps,
                          trial.rows, trial.wrong_in_consumer, trial.wrong_in_merchant,
                          trial.forgetful_stopped, twin.cell(jvm_name_of(trial.handling))});
  return table;
}

}  // namespace

Report run_mixup(const MixupOptions& options, const Context& context) {
  const std::array trials{run_trial(MarkerHandling::left_behind, options, context),
                          run_trial(MarkerHandling::by_hand, options, context),
                          run_trial(options.remedy, options, context)};
  const auto& [left_behind, by_hand, remedied] = trials;
  context.progress("the Java twin");
  const JvmTwin twin =
      run_jvm_twin(context.jvm_twins, "LabMixup",
                   {std::to_string(options.threads), std::to_string(options.requests),
                    std::to_string(context.seed)});

  Report report{.name = "mixup",
                .claim =
                    "a marker on the thread sends rows into the other book's tables, also when "
                    "it is removed by hand; a marker in the request's scope never does"};
  report.tables.push_back(table_of(trials, twin));
  report.charts.push_back(
      {.file_name = "mixup-wrong-rows",
       .title = "Rows in the wrong book's table",
       .x = {"requests served", "thousands"},
       .y = {"wrong rows", ""},
       .series = {left_behind.wrong_over_time, by_hand.wrong_over_time, remedied.wrong_over_time}});
  twin.add_curves(report.charts.back());
  const auto as_number = [](std::int64_t count) { return static_cast<double>(count); };
  report.findings = {
      {"wrong rows, marker never removed", as_number(left_behind.wrong()), Relation::more_than, 0},
      {"wrong rows, marker removed by hand", as_number(by_hand.wrong()), Relation::more_than, 0},
      {"wrong rows, marker in the scope", as_number(remedied.wrong()), Relation::exactly, 0},
      {"rows written, marker in the scope", as_number(remedied.rows), Relation::exactly,
       as_number(remedied.requests - remedied.mishaps)},
      {"requests stopped for want of a marker", as_number(remedied.forgetful_stopped),
       Relation::exactly, as_number(kForgetfulRequests)},
  };
  report.notes.push_back(fmt::format("seed {}", context.seed));
  twin.add_note(report);
  return report;
}

}  // namespace carrel::lab
