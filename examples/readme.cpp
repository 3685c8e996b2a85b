// The README's example: one request that finds its tenant and its transaction.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "carrel/db/pool.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/pool/worker_pool.h"
#include "carrel/scope/request_local.h"
#include "carrel/session/session.h"

namespace {

carrel::RequestLocal<std::string> tenant{"tenant"};

void record(carrel::Session& session, std::string_view what) {  // finds the caller's transaction
  session.execute("insert into {history} (what) values ($1)", what);
}

void place_order(carrel::Session& session, int item) {
  session.transaction([&] {  // commits at the end, rolls back on a throw
    session.execute("insert into {orders} (item) values ($1)", item);
    record(session, "ordered by " + tenant.get());
  });
}

bool serve(carrel::WorkerPool& workers, carrel::Session& session, std::string who, int item) {
  return workers.post({.name = "POST /orders"}, [&session, who, item] {  // a scope of its own
    tenant.set(who);                                                     // gone with the scope
    place_order(session, item);
  });
}

std::filesystem::path empty_folder() {
  std::string name = std::filesystem::temp_directory_path() / "carrel-readme-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  return name;
}

}  // namespace

int main() {
  const auto folder = empty_folder();
  {
    const auto driver = carrel::sqlite_driver({.file = folder / "orders.db"});
    carrel::Pool pool({.name = "orders"}, *driver);
    {
      const auto connection = pool.borrow();
      connection->execute("create table acme_orders (item integer)");
      connection->execute("create table acme_history (what text)");
    }
    carrel::Session session(
        {.routes = {{"acme", &pool, {{"orders", "acme_orders"}, {"history", "acme_history"}}}},
         .marker = [] {
           const std::string* name = tenant.find();
           return name == nullptr ? std::optional<std::string_view>() : *name;
         }});
    carrel::WorkerPool workers({.name = "requests", .threads = 2});

    if (!serve(workers, session, "acme", 7)) return EXIT_FAILURE;
    workers.drain(carrel::SystemClock::get().steady_now() + std::chrono::seconds(5));

    const auto connection = pool.borrow();
    const auto rows = connection->execute("select what from acme_history");
    std::cout << rows[0].get<std::string>(0) << '\n';  // ordered by acme
    if (rows.size() != 1 || workers.boundary().leftovers() != 0) return EXIT_FAILURE;
  }
  std::filesystem::remove_all(folder);
}
