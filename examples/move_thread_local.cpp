// Guide "Move a thread_local to a request": before and after.
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"

namespace before {

thread_local std::string tenant;

void handle(const std::string& who) {
  if (!who.empty()) tenant = who;  // forgotten on one path: the next request is somebody else's
}

}  // namespace before

namespace after {

const carrel::RequestLocal<std::string> tenant{"tenant"};

void list_orders() {
  std::cout << "orders of " << tenant.get() << '\n';
}

void handle(const std::string& who) {
  carrel::Scope scope({.name = "GET /orders"});
  if (!who.empty()) tenant.set(who);
  if (const std::string* known = tenant.find()) {
    std::cout << "known: " << *known << '\n';
    list_orders();
  }
}

void handle_as_admin(const std::string& who) {
  carrel::Scope scope({.name = "GET /orders"});
  tenant.set(who);
  {
    const auto as_admin = tenant.bind("admin");
    list_orders();  // admin's
  }
  list_orders();  // who's
}

std::string outside_any_request() {
  try {
    return tenant.get();
  } catch (const carrel::NoScope& error) {
    return std::string(error.code());
  }
}

}  // namespace after

int main() {
  before::handle("acme");
  before::handle("");
  if (before::tenant != "acme") return EXIT_FAILURE;  // the leak, as expected

  after::handle("acme");
  after::handle("");
  if (after::tenant.find() != nullptr) return EXIT_FAILURE;
  after::handle_as_admin("acme");
  return after::outside_any_request() == "no_scope" ? EXIT_SUCCESS : EXIT_FAILURE;
}
