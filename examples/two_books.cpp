// Two books, one set of statements: docs/guides/two-books.md.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

#include "carrel/db/pool.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace {

carrel::RequestLocal<std::string> current_book{"book"};

std::optional<std::string_view> marker() {
  const std::string* book = current_book.find();
  if (book == nullptr) return std::nullopt;
  return *book;
}

void move(carrel::Session& session, std::int64_t from, std::int64_t to, std::int64_t amount) {
  session.transaction([&] {
    session.execute("update {account} set balance = balance - $1 where id = $2", amount, from);
    session.execute("update {account} set balance = balance + $1 where id = $2", amount, to);
  });
}

std::int64_t balance(carrel::Session& session, std::int64_t account) {
  return session.execute("select balance from {account} where id = $1", account)
      .one()
      .get<std::int64_t>(0);
}

void open_accounts(carrel::Session& session, const std::string& book) {
  const carrel::Scope scope({.name = "open accounts"});
  current_book.set(book);
  session.execute("create table {account} (id integer primary key, balance integer)");
  session.execute("insert into {account} values (1, 100), (2, 0)");
}

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

std::string code_without_book(carrel::Session& session) {
  const carrel::Scope request({.name = "GET /accounts"});
  try {
    balance(session, 1);
  } catch (const carrel::Error& error) {
    return std::string(error.code());
  }
  return {};
}

void run(const std::filesystem::path& folder) {
  const auto consumer = carrel::sqlite_driver({.file = folder / "consumer.db"});
  const auto merchant = carrel::sqlite_driver({.file = folder / "merchant.db"});
  carrel::Pool consumer_pool({.name = "consumer"}, *consumer);
  carrel::Pool merchant_pool({.name = "merchant"}, *merchant);
  carrel::Session session(
      {.routes = {{"consumer", &consumer_pool, {{"account", "consumer_account"}}},
                  {"merchant", &merchant_pool, {{"account", "merchant_account"}}}},
       .marker = marker});
  open_accounts(session, "consumer");
  open_accounts(session, "merchant");
  {
    const carrel::Scope request({.name = "POST /transfers"});
    current_book.set("merchant");
    move(session, 1, 2, 50);
    require(balance(session, 2) == 50, "the merchants' money moved");
    const auto other = current_book.bind("consumer");
    require(balance(session, 2) == 0, "the consumers' did not");
  }
  require(code_without_book(session) == "no_marker", "no book, no statement");
}

}  // namespace

int main() {
  std::string name = std::filesystem::temp_directory_path() / "carrel-books-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return 1;
  run(name);
  std::filesystem::remove_all(name);
  std::cout << "each book kept its own money\n";
}
