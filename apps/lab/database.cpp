#include "lab/database.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/drivers/sqlite.h"
#include "lab/plain_sqlite.h"
#include "lab/temporary_folder.h"
#ifdef CARREL_LAB_POSTGRES
#include "carrel/drivers/postgres.h"
#endif

namespace carrel::lab {

class Database::Place {
 public:
  Place() = default;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  virtual ~Place() = default;

  [[nodiscard]] virtual std::unique_ptr<Driver> driver() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Driver> several_writers(
      std::chrono::microseconds round_trip) const = 0;
};

class Database::SqlitePlace final : public Place {
 public:
  [[nodiscard]] std::unique_ptr<Driver> driver() const override {
    return sqlite_driver({.file = file(), .synchronous = SqliteSync::off});  // thrown away
  }
  [[nodiscard]] std::unique_ptr<Driver> several_writers(
      std::chrono::microseconds round_trip) const override {
    return plain_sqlite_driver({.file = file(), .round_trip = round_trip});
  }

 private:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "lab.db"; }

  TemporaryFolder folder_;
};

#ifdef CARREL_LAB_POSTGRES
namespace {

// Takes what lies before the first `mark` off the text; everything where there is none.
std::string_view take_until(std::string_view& text, char mark) {
  const std::string_view taken = text.substr(0, text.find(mark));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

PostgresOptions options_of(std::string_view url) {
  const Error not_a_url(
      "lab.not_a_url",
      "a PostgreSQL server is named postgresql://user:password@host:port/database");
  constexpr std::string_view kScheme = "postgresql://";
  if (!url.starts_with(kScheme)) throw not_a_url;
  std::string_view rest = url.substr(kScheme.size());
  PostgresOptions options;
  options.application_name = "carrel lab";
  if (rest.find('@') != std::string_view::npos) {
    std::string_view who = take_until(rest, '@');
    options.user = take_until(who, ':');
    options.password = who;
  }
  std::string_view where = take_until(rest, '/');
  options.host = take_until(where, ':');
  if (!where.empty()) {
    const auto [end, error] =
        std::from_chars(where.data(), where.data() + where.size(), options.port);
    if (error != std::errc() || end != where.data() + where.size()) throw not_a_url;
  }
  if (!rest.empty()) options.database = rest;
  if (options.host.empty()) throw not_a_url;
  return options;
}

std::string own_schema() {
  static std::atomic<int> next{1};
  return "carrel_lab_" + std::to_string(::getpid()) + "_" + std::to_string(next++);
}

}  // namespace

class Database::PostgresPlace final : public Place {
 public:
  explicit PostgresPlace(std::string_view url) : options_(options_of(url)), schema_(own_schema()) {
    postgres_driver(options_)->connect({})->execute("create schema " + schema_);
    options_.parameters["options"] =
        "-c search_path=" + schema_ + " -c client_min_messages=warning";
  }
  PostgresPlace(const PostgresPlace&) = delete;
  PostgresPlace& operator=(const PostgresPlace&) = delete;
  ~PostgresPlace() override {
    try {
      driver()->connect({})->execute("drop schema " + schema_ + " cascade");
    } catch (const Error&) {
      // A schema that cannot be dropped is left behind under a name that nobody else uses.
    }
  }

  [[nodiscard]] std::unique_ptr<Driver> driver() const override {
    return postgres_driver(options_);
  }
  [[nodiscard]] std::unique_ptr<Driver> several_writers(std::chrono::microseconds) const override {
    return driver();
  }

 private:
  PostgresOptions options_;
  const std::string schema_;
};
#endif

Database::Database(const std::string& postgres_url) : has_server_(!postgres_url.empty()) {
  if (!has_server_) {
    place_ = std::make_unique<SqlitePlace>();
    return;
  }
#ifdef CARREL_LAB_POSTGRES
  place_ = std::make_unique<PostgresPlace>(postgres_url);
#else
  throw Error("lab.no_postgres", "this program was built without libpq");
#endif
}

Database::~Database() = default;

std::unique_ptr<Driver> Database::driver() const {
  return place_->driver();
}

std::unique_ptr<Driver> Database::several_writers(std::chrono::microseconds round_trip) const {
  return place_->several_writers(round_trip);
}

}  // namespace carrel::lab
