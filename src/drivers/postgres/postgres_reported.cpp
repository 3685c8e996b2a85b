#include "drivers/postgres/postgres_reported.h"

#include <array>

namespace carrel::postgres {

Reported Reported::by(PGconn* connection) {
  const auto told = [&](const char* name) {
    const char* value = PQparameterStatus(connection, name);
    return std::string(value == nullptr ? "" : value);
  };
  constexpr std::array names = {
      "application_name", "client_encoding",       "DateStyle", "default_transaction_read_only",
      "IntervalStyle",    "session_authorization", "TimeZone",  "standard_conforming_strings"};
  Reported made{.superuser = told("is_superuser"), .search_path = told("search_path")};
  for (const char* name : names) made.settings.append(told(name)).append("\n");
  return made;
}

// A tenant's role is no superuser: of one that is, every promise counts as contradicted, which
// costs a round trip. Of a tenant's search path nothing is asked, since the server writes it its
// own way.
bool Reported::agrees_with(const Reported& began, const Place* here) const noexcept {
  if (settings != began.settings) return false;
  if (here == nullptr) return true;
  if (!here->role.empty() ? superuser != "off" : superuser != began.superuser) return false;
  return !here->schema.empty() || search_path == began.search_path;
}

}  // namespace carrel::postgres
