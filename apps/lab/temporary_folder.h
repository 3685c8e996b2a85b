// TemporaryFolder: a folder of its own that is gone when the object is.
//
// Threads: plain object. Errors: throws carrel::Error "lab.no_temporary_folder".
#pragma once

#include <filesystem>

namespace carrel::lab {

class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace carrel::lab
