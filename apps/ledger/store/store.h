// Store: the two books' files, open, with what is needed to run SQL on them.
//
// open_store opens (or creates, with schema, chart of accounts and the house's accounts)
// <folder>/consumer.db and <folder>/merchant.db, and takes their locks: a second process is
// refused.
//
//   const std::unique_ptr<Store> store = open_store({.folder = "data"});
//   Scope scope({.name = "count accounts"});
//   auto bound = store->book().bind(Book::consumer);
//   store->session().execute("select count(*) from {account}");
//
// Threads: open_store and the destructor on one thread, everything else from any.
// Lifetime: outlives the Ledger made from it and every scope that used it.
// Errors: carrel::Error "store.folder" (cannot be created), "store.schema" (a file of a newer
// version or of the other book), else the driver's: "sql.in_use", "sql.not_a_database",
// "sql.read_only", ...
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "carrel/base/clock.h"
#include "carrel/base/ids.h"
#include "carrel/drivers/sqlite.h"
#include "ledger/store/book_marker.h"

namespace carrel {
class MetricSink;
class Session;
}  // namespace carrel

namespace carrel::ledger {

struct StoreOptions {
  std::filesystem::path folder = "data";  // created if it is missing
  std::size_t readers = 4;                // connections that read, per book, beside the one writer
  SqliteSync synchronous = SqliteSync::full;
  const Clock* clock = &SystemClock::get();
};

class Store {
 public:
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] Session& session() noexcept;
  [[nodiscard]] BookMarker& book() noexcept { return book_; }
  [[nodiscard]] IdSource& ids() noexcept { return ids_; }
  // carrel_connections, carrel_connection_waiters and the other figures of each book's connections.
  void collect(MetricSink& sink) const;

 private:
  friend std::unique_ptr<Store> open_store(const StoreOptions& options);
  explicit Store(const StoreOptions& options);

  class Databases;

  BookMarker book_;
  IdSource ids_;
  std::unique_ptr<Databases> databases_;
};

// Blocks until both books are ready to serve. Opens a scope of its own: needs none.
[[nodiscard]] std::unique_ptr<Store> open_store(const StoreOptions& options);

}  // namespace carrel::ledger
