// The experiment `tenants`: a request that switches databases by hand writes its next rows into the
// wrong tenant's.
//
// Every tenant has an SQLite file of its own; two more are everybody's: an archive and an audit
// log. A request writes to its tenant, then files a copy in the archive, which notes that in the
// audit log, and then confirms to its tenant. The filing is cut short at random, by a return in the
// middle or by an exception, which the request survives. Both ways run on four threads:
//   by_hand   the tenant is set for the call, and set back at its end, which a return in the middle
//             and an exception skip
//   nested    it is bound for the extent of the call (carrel::RequestLocal::bind)
// Everything else is the same: session, SQL, requests, scopes.
#pragma once

#include <cstddef>

#include "lab/experiment.h"

namespace carrel::lab {

enum class TenantSwitch { by_hand, nested };

struct TenantsOptions {
  std::size_t threads = 4;
  std::size_t requests = 10'000;  // for each way
  double cut_short_share = 0.05;  // half of them by a return, half by an exception

  // Tests take the remedy out here, and the experiment must notice.
  TenantSwitch remedy = TenantSwitch::nested;
};

[[nodiscard]] Report run_tenants(const TenantsOptions& options, const Context& context);

}  // namespace carrel::lab
