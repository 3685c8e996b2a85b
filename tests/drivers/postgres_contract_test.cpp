#include "db/array_contract.h"
#include "db/call_contract.h"
#include "db/load_contract.h"
#include "db/text_contract.h"
#include "drivers/postgres_backend.h"

namespace carrel::test {
namespace {

const Backend kPostgres = postgres_backend([] { return postgres_options(); });

INSTANTIATE_TEST_SUITE_P(Postgres, ConnectionContract, testing::Values(&kPostgres),
                         [](const auto&) { return std::string("Postgres"); });

}  // namespace
}  // namespace carrel::test
