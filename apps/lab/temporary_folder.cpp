#include "lab/temporary_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "carrel/base/error.h"

namespace carrel::lab {

TemporaryFolder::TemporaryFolder() {
  const std::string name = "carrel-lab." + std::string(6, 'X');  // mkdtemp puts letters there
  std::string pattern = (std::filesystem::temp_directory_path() / name).string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw Error("lab.no_temporary_folder", "cannot make a folder like " + pattern + ": " +
                                               std::generic_category().message(errno));
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // what cannot be removed is left to the system's own cleaning
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace carrel::lab
