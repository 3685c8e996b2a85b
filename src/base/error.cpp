#include "carrel/base/error.h"

namespace carrel {

Error::Error(ErrorCode code, const std::string& message, ErrorTraits traits,
             std::source_location where)
    : std::runtime_error(message), code_(code), traits_(traits), where_(where) {}

std::string Error::describe() const {
  return std::string(code()) + ": " + what() + " (" + where_.file_name() + ":" +
         std::to_string(where_.line()) + ")";
}

}  // namespace carrel
