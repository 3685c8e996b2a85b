#include <algorithm>
#include <iterator>

#include "lab/connection.h"
#include "lab/context.h"
#include "lab/cost.h"
#include "lab/design.h"
#include "lab/experiment.h"
#include "lab/keys.h"
#include "lab/leak.h"
#include "lab/mixup.h"
#include "lab/passing.h"
#include "lab/shared.h"
#include "lab/split.h"
#include "lab/tenants.h"
#include "lab/utilisation.h"

namespace carrel::lab {
namespace {

constexpr Experiment kExperiments[] = {
    {"leak", "5 MiB left in a thread-local by every task of a pool, and what a boundary does",
     [](const Context& context) { return run_leak(LeakOptions{}, context); }},
    {"mixup", "a marker left on the thread sends consumers' rows into the merchants' tables",
     [](const Context& context) { return run_mixup(MixupOptions{}, context); }},
    {"shared", "one static object put into a thread-local: every thread reads the sum of all",
     [](const Context& context) { return run_shared(SharedOptions{}, context); }},
    {"connection", "one static connection for all threads: opened twice, closed, mixed up",
     [](const Context& context) { return run_connection(ConnectionOptions{}, context); }},
    {"split", "a transaction whose every call borrows a connection, and what its rollback leaves",
     [](const Context& context) { return run_split(SplitOptions{}, context); }},
    {"passing", "a connection through every signature, or a global lock, or neither",
     [](const Context& context) { return run_passing(PassingOptions{}, context); }},
    {"keys", "variables die while threads live: what strong, weak and carrel's keys still hold",
     [](const Context& context) { return run_keys(KeysOptions{}, context); }},
    {"design", "a map for each variable, locked or concurrent, against a map for each thread",
     [](const Context& context) { return run_design(DesignOptions{}, context); }},
    {"cost", "counting behind a lock, in an atomic, in a map, in one's own: 1 to 64 threads",
     [](const Context& context) { return run_cost(CostOptions{}, context); }},
    {"context", "tenant and trace id after a pool, a nested submit and a coroutine's suspensions",
     [](const Context& context) { return run_context(ContextOptions{}, context); }},
    {"utilisation", "what eight connections serve, held idle and borrowed only while used",
     [](const Context& context) { return run_utilisation(UtilisationOptions{}, context); }},
    {"tenants", "databases switched by hand in a request, and the rows that land at another tenant",
     [](const Context& context) { return run_tenants(TenantsOptions{}, context); }},
};

}  // namespace

std::span<const Experiment> experiments() noexcept {
  return kExperiments;
}

const Experiment* find_experiment(std::string_view name) noexcept {
  const auto found = std::ranges::find(kExperiments, name, &Experiment::name);
  return found == std::end(kExperiments) ? nullptr : found;
}

}  // namespace carrel::lab
