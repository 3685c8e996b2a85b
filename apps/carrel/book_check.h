// Checks both books where they are: in a running server, or in files that nobody has open.
//
//   const std::vector<ledger::CheckReport> reports = check_files("data", acknowledged);
//
// Errors: "check.no_books" (there are no books in that folder), "check.unreachable",
// "check.bad_answer", and those of open_store: "sql.in_use" where a server runs on the files.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ledger/store/checker.h"

namespace carrel::program {

// Keys that a client was told are booked.
using AcknowledgedKeys = std::map<ledger::Book, std::vector<std::string>>;

// Lines "book TAB key", as `carrel load --acks` writes them. A last line without its end is left
// out: its writer died in the middle of it. Errors: "check.acks".
[[nodiscard]] AcknowledgedKeys read_acknowledged_keys(const std::filesystem::path& file);

[[nodiscard]] std::vector<ledger::CheckReport> check_files(const std::filesystem::path& folder,
                                                           const AcknowledgedKeys& acknowledged);
[[nodiscard]] std::vector<ledger::CheckReport> check_server(const std::string& url,
                                                            const AcknowledgedKeys& acknowledged);

// The URL of the server that runs on these files; empty if it left none.
[[nodiscard]] std::string find_server(const std::filesystem::path& folder);

}  // namespace carrel::program
