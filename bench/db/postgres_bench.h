#pragma once

namespace carrel::bench {

// Where has_postgres(): the benchmarks that need a server.
void register_postgres();
void register_many_rows();
void register_tenants();
void register_together();

}  // namespace carrel::bench
