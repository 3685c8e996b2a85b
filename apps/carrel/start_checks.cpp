#include "carrel/start_checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>

#include "carrel/base/error.h"

namespace carrel::program {
namespace {

namespace fs = std::filesystem;

// Both books' empty files, their logs, and some room to live.
constexpr std::uintmax_t kFreeBytesMin = 64 << 20;

}  // namespace

void require_loopback(const std::string& address) {
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(address, error);
  if (error)
    throw Error("serve.not_loopback", "'" + address + "' is no IP address; use 127.0.0.1 or ::1");
  if (!parsed.is_loopback())
    throw Error("serve.not_loopback",
                "refusing to listen on " + address +
                    ": there are no API keys yet, so whoever reaches the port could move money. "
                    "Use 127.0.0.1 or ::1, and an SSH tunnel from other machines");
}

void require_usable_folder(const fs::path& folder) {
  fs::path existing = fs::absolute(folder);
  std::error_code error;
  while (!fs::exists(existing, error) && existing.has_relative_path())
    existing = existing.parent_path();
  if (!fs::is_directory(existing, error))
    throw Error("serve.folder", fmt::format("the data folder '{}' cannot be used: '{}' is not a "
                                            "folder",
                                            folder.string(), existing.string()));
  if (::access(existing.c_str(), W_OK | X_OK) != 0)
    throw Error("serve.folder", fmt::format("the data folder '{}' cannot be written: '{}' does "
                                            "not allow it to this user",
                                            folder.string(), existing.string()));
  const fs::space_info space = fs::space(existing, error);
  if (!error && space.available < kFreeBytesMin)
    throw Error("serve.disk_full",
                fmt::format("the disk of '{}' has {} MiB free, and at least {} MiB are needed",
                            existing.string(), space.available >> 20, kFreeBytesMin >> 20));
}

}  // namespace carrel::program
