// Transactions without passing a connection: docs/guides/transactions.md.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

#include "carrel/base/clock.h"
#include "carrel/db/pool.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace {

using namespace std::chrono_literals;

struct Outcome {
  bool accepted;
};
bool rolls_back(const Outcome& outcome) {
  return !outcome.accepted;
}

void record(carrel::Session& session, std::string_view what) {
  session.execute("insert into {journal} (what) values ($1)", what);
}

void close_day(carrel::Session& session) {
  session.transaction([&] {
    record(session, "day closed");  // part of this transaction
    session.execute("update {day} set closed = 1");
  });
}

void risky(carrel::Session& session) {
  record(session, "half of it");
  session.execute("update {day} set closed = null");  // not null
}

void try_and_note(carrel::Session& session) {
  session.transaction([&] {
    record(session, "tried");
    try {
      session.transaction({.propagation = carrel::Propagation::nested}, [&] { risky(session); });
    } catch (const carrel::Error&) {
      record(session, "failed");  // the savepoint undid `risky`, and nothing else
    }
  });
}

Outcome withdraw(carrel::Session& session, int amount) {
  record(session, "withdrawn");
  return {.accepted = amount < 100};
}

enum class Ending { happened, did_not_happen, try_again };

Ending look_up(carrel::Session& session, std::string_view key) {  // the key was stored along
  const auto found = session.execute("select 1 from {journal} where what = $1", key);
  return found.empty() ? Ending::did_not_happen : Ending::happened;
}

Ending post(carrel::Session& session, std::string_view key) {
  try {
    session.transaction([&] { record(session, key); });
  } catch (const carrel::Error& error) {
    if (error.in_doubt()) return look_up(session, key);  // it may have happened
    if (error.retryable()) return Ending::try_again;     // it certainly has not
    throw;
  }
  return Ending::happened;
}

int entries(carrel::Session& session) {
  return session.execute("select count(*) from {journal}").one().get<int>(0);
}

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

void run(const std::filesystem::path& folder) {
  const auto driver = carrel::sqlite_driver({.file = folder / "shop.db"});
  carrel::Pool pool({.name = "shop"}, *driver);
  carrel::Session session(
      {.routes = {{"shop", &pool, {{"journal", "shop_journal"}, {"day", "shop_day"}}}}});
  const carrel::Clock& clock = carrel::SystemClock::get();
  const carrel::Scope request({.name = "the day's end", .deadline = clock.steady_now() + 1min});
  session.execute("create table {journal} (what text)");
  session.execute("create table {day} (closed integer not null)");
  session.execute("insert into {day} values (0)");

  close_day(session);
  require(entries(session) == 1, "one entry");
  try_and_note(session);
  require(entries(session) == 3, "tried and failed, and no half");
  const Outcome outcome = session.transaction([&] { return withdraw(session, 1'000); });
  require(!outcome.accepted && entries(session) == 3, "a refusal leaves nothing");

  bool told = false;
  session.transaction([&] {
    record(session, "paid");
    session.after_commit([&] { told = true; });
  });
  require(told, "told after the commit");
  require(
      post(session, "key-1") == Ending::happened && look_up(session, "key-1") == Ending::happened,
      "what was committed can be looked up by its key");
}

}  // namespace

int main() {
  std::string name = std::filesystem::temp_directory_path() / "carrel-shop-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return 1;
  run(name);
  std::filesystem::remove_all(name);
  std::cout << "every transaction ended as it should\n";
}
