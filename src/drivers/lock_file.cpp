#include "drivers/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "carrel/db/sql_error.h"

namespace carrel::drivers {
namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

[[noreturn]] void throw_cannot_open(const std::filesystem::path& lock_file, int error) {
  const SqlFailure failure{
      .message = "cannot open the lock file " + lock_file.string() + ": " + reason(error),
      .native_code = error};
  switch (error) {
    case EACCES:
    case EPERM:
      throw SqlError("sql.access_denied", failure);
    case EROFS:
      throw SqlError("sql.read_only", failure);
    case ENOSPC:
    case EDQUOT:
      throw SqlError("sql.disk_full", failure);
    default:
      throw SqlError("sql.io", failure);
  }
}

std::string owner_of(int fd) {
  char text[32];
  const auto length = ::pread(fd, text, sizeof text, 0);
  std::string owner;
  for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; ++i) owner += text[i];
  return owner.empty() ? "another process" : "process " + owner;
}

}  // namespace

LockFile::LockFile(const std::filesystem::path& lock_file, const std::filesystem::path& database)
    : fd_(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (fd_ < 0) throw_cannot_open(lock_file, errno);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    const auto owner = owner_of(fd_);
    ::close(fd_);
    if (error != EWOULDBLOCK) throw_cannot_open(lock_file, error);
    throw SqlError("sql.in_use", {.message = database.string() + " is in use by " + owner +
                                             "; one process at a time may use it (locked: " +
                                             lock_file.string() + ")",
                                  .native_code = error,
                                  .traits = {.retryable = true}});
  }
  // Only for the message above; a lock without a name works as well.
  const auto text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, text.data(), text.size(), 0) < 0) {
    const int error = errno;
    ::close(fd_);
    throw_cannot_open(lock_file, error);
  }
}

LockFile::~LockFile() {
  ::close(fd_);
}

}  // namespace carrel::drivers
