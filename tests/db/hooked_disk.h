// HookedDisk: for its extent every new SQLite database file lies on a disk that is watched, or that
// lacks something.
//
//   HookedDisk disk;
//   disk.at_close([&] { ... });              // once, when a database file is about to be closed
//   disk.has_shared_memory(false);           // from the next open on: no write-ahead log there
//
// The file's table of methods is copied, with one exchanged. Threads: one. One at a time.
#pragma once

#include <sqlite3.h>

#include <functional>
#include <utility>

namespace carrel::test {

class HookedDisk {
 public:
  HookedDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "hooked";
    vfs_.xOpen = &HookedDisk::open;
    sqlite3_vfs_register(&vfs_, /*makeDflt=*/1);
  }
  HookedDisk(const HookedDisk&) = delete;
  HookedDisk& operator=(const HookedDisk&) = delete;
  ~HookedDisk() {
    at_close(nullptr);
    has_shared_memory(true);
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, /*makeDflt=*/1);
  }

  static void at_close(std::function<void()> hook) { at_close_ = std::move(hook); }
  static void has_shared_memory(bool has) noexcept { has_shared_memory_ = has; }

 private:
  static int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
    const int result = real_->xOpen(real_, name, file, flags, out);
    if (result != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0) return result;
    methods_ = *file->pMethods;
    real_close_ = methods_.xClose;
    methods_.xClose = &HookedDisk::close;
    if (!has_shared_memory_) methods_.iVersion = 1;
    file->pMethods = &methods_;
    return result;
  }
  static int close(sqlite3_file* file) {
    if (const auto hook = std::exchange(at_close_, nullptr)) hook();
    return real_close_(file);
  }

  static inline std::function<void()> at_close_;
  static inline bool has_shared_memory_ = true;
  static inline sqlite3_vfs* real_ = nullptr;
  static inline sqlite3_io_methods methods_{};
  static inline int (*real_close_)(sqlite3_file*) = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace carrel::test
