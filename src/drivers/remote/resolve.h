// Host names to addresses within a deadline: getaddrinfo itself waits as long as it likes.
#pragma once

#include <string>
#include <vector>

#include "carrel/base/clock.h"

namespace carrel::remote {

// The numeric addresses of `host`, in the system's order; `host` itself where it is one already, or
// the directory of a socket. Who asks for a name that is being looked up waits for that answer: a
// resolver that hangs has one thread for each name, in the whole process. Throws
// "sql.cannot_connect" or "sql.deadline".
[[nodiscard]] std::vector<std::string> resolve(const std::string& host, Clock::Steady deadline);

}  // namespace carrel::remote
