#include "client/ack_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "carrel/base/error.h"

namespace carrel::client {
namespace {

[[noreturn]] void fail(const std::string& path) {
  throw Error("client.acks_unwritable",
              fmt::format("cannot write {}: {}", path, std::generic_category().message(errno)));
}

}  // namespace

AckLog::AckLog(std::string path)
    : path_(std::move(path)),
      descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail(path_);
}

AckLog::~AckLog() {
  ::close(descriptor_);
}

void AckLog::append(const Operation& operation) {
  if (operation.key.empty()) return;
  const std::string line = fmt::format("{}\t{}\n", name_of(operation.book), operation.key);
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace carrel::client
