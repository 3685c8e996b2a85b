#include "db/array_contract.h"
#include "db/call_contract.h"
#include "db/load_contract.h"
#include "db/text_contract.h"
#include "drivers/mariadb_backend.h"

namespace carrel::test {
namespace {

const Backend kMariadb = mariadb_backend([] { return mariadb_options(); });

INSTANTIATE_TEST_SUITE_P(Mariadb, ConnectionContract, testing::Values(&kMariadb),
                         [](const auto&) { return std::string("Mariadb"); });

}  // namespace
}  // namespace carrel::test
