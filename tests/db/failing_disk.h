// FailingDisk: for its extent every new SQLite file lies on a disk that fails when told to.
//
//   FailingDisk disk;
//   disk.fail(FailingDisk::Call::sync);      // of the write-ahead log, from now on
//   ...
//   disk.heal();
//
// Only the write-ahead log fails: that is what COMMIT writes and waits for. The file's table of
// methods is copied, with two exchanged. Threads: fail() and heal() from any. One at a time.
#pragma once

#include <sqlite3.h>

#include <atomic>

namespace carrel::test {

class FailingDisk {
 public:
  enum class Call { none, write, sync };

  FailingDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "failing";
    vfs_.xOpen = &FailingDisk::open;
    sqlite3_vfs_register(&vfs_, /*makeDflt=*/1);
  }
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;
  ~FailingDisk() {
    heal();
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, /*makeDflt=*/1);
  }

  static void fail(Call call) noexcept { failing_ = call; }
  static void heal() noexcept { failing_ = Call::none; }

 private:
  static int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
    const int result = real_->xOpen(real_, name, file, flags, out);
    if (result != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return result;
    if (real_write_ == nullptr) {
      methods_ = *file->pMethods;
      real_write_ = methods_.xWrite;
      real_sync_ = methods_.xSync;
      methods_.xWrite = &FailingDisk::write;
      methods_.xSync = &FailingDisk::sync;
    }
    file->pMethods = &methods_;
    return result;
  }
  static int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    return failing_ == Call::write ? SQLITE_IOERR_WRITE : real_write_(file, bytes, size, offset);
  }
  static int sync(sqlite3_file* file, int flags) {
    return failing_ == Call::sync ? SQLITE_IOERR_FSYNC : real_sync_(file, flags);
  }

  static inline std::atomic<Call> failing_{Call::none};
  static inline sqlite3_vfs* real_ = nullptr;
  static inline sqlite3_io_methods methods_{};
  static inline int (*real_write_)(sqlite3_file*, const void*, int, sqlite3_int64) = nullptr;
  static inline int (*real_sync_)(sqlite3_file*, int) = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace carrel::test
