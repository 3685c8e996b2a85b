// Asks one server, named by its port, its password and the file of whom to trust, something over
// TLS.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "carrel/db/pool.h"
#ifdef CONSUMER_MARIADB
#include "carrel/drivers/mariadb.h"
#else
#include "carrel/drivers/postgres.h"
#endif

namespace {

std::unique_ptr<carrel::Driver> driver(std::uint16_t port, const std::string& password,
                                       const std::string& authority) {
#ifdef CONSUMER_MARIADB
  return carrel::mariadb_driver({.port = port,
                                 .database = "carrel",
                                 .user = "carrel",
                                 .password = password,
                                 .tls = carrel::MariadbTls::require,
                                 .tls_root_file = authority});
#else
  return carrel::postgres_driver({.port = port,
                                  .password = password,
                                  .tls = carrel::PostgresTls::require,
                                  .tls_root_file = authority});
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto server = driver(static_cast<std::uint16_t>(std::stoi(argv[1])), argv[2], argv[3]);
  carrel::Pool pool({.name = "consumer", .size_max = 1}, *server);
  if (pool.borrow()->execute("select 41 + 1").one().get<int>(0) != 42)
    throw std::logic_error("the installed library does not work");
  std::puts("consumer: ok");
}
