#include "ledger/store/store.h"

#include <array>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "ledger/store/pool_metrics.h"
#include "ledger/store/schema.h"

namespace carrel::ledger {
namespace {

void create_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw Error("store.folder",
                "cannot create the data folder " + folder.string() + ": " + error.message());
}

}  // namespace

// The files in the order in which they must go: sessions before pools before drivers.
class Store::Databases {
 public:
  Databases(const StoreOptions& options, BookMarker& book)
      : consumer_(options, Book::consumer),
        merchant_(options, Book::merchant),
        session_({.routes = {consumer_.route(), merchant_.route()},
                  .marker = [&book] { return book.find_name(); }}) {}

  [[nodiscard]] Session& session() noexcept { return session_; }
  void collect(MetricSink& sink) const {
    consumer_.collect(sink);
    merchant_.collect(sink);
  }

 private:
  class File {
   public:
    File(const StoreOptions& options, Book book)
        : book_(book),
          driver_(sqlite_driver({.file = options.folder / (std::string(to_string(book)) + ".db"),
                                 .synchronous = options.synchronous,
                                 .readers = options.readers})),
          pool_({.name = std::string(to_string(book)), .label = &scope_label}, *driver_) {}

    [[nodiscard]] Route route() {
      return {.name = std::string(to_string(book_)), .pool = &pool_, .tables = table_slots(book_)};
    }

    void collect(MetricSink& sink) const {
      collect_connections(pool_.stats(), to_string(book_), sink);
    }

   private:
    Book book_;
    std::unique_ptr<Driver> driver_;
    Pool pool_;
  };

  File consumer_;
  File merchant_;
  Session session_;
};

Store::Store(const StoreOptions& options)
    : ids_(*options.clock), databases_(std::make_unique<Databases>(options, book_)) {}

Store::~Store() = default;

Session& Store::session() noexcept {
  return databases_->session();
}

void Store::collect(MetricSink& sink) const {
  databases_->collect(sink);
}

std::unique_ptr<Store> open_store(const StoreOptions& options) {
  create_folder(options.folder);
  std::unique_ptr<Store> store(new Store(options));  // the constructor is private
  for (const Book book : kBooks) {
    const Scope scope({.name = "open the " + std::string(to_string(book)) + " book"});
    const auto bound = store->book().bind(book);
    prepare_book(store->session(), book, store->ids());
  }
  return store;
}

}  // namespace carrel::ledger
