// LockFile: keeps a second process off a database file.
#pragma once

#include <filesystem>

namespace carrel::drivers {

// Holds an exclusive flock(2) on a file while it lives. The kernel drops it with the process,
// however that ends, so that a crash leaves no stale lock. The file stays: removing it would race
// with the next owner.
class LockFile {
 public:
  // Throws SqlError "sql.in_use" (naming the owner's process id where it can be read),
  // "sql.access_denied", "sql.read_only", "sql.disk_full" or "sql.io".
  LockFile(const std::filesystem::path& lock_file, const std::filesystem::path& database);
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

 private:
  int fd_;
};

}  // namespace carrel::drivers
