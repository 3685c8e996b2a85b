#include "scope/exception_text.h"

#include <cxxabi.h>

#include <typeinfo>

namespace carrel::scope {

const char* text_of_current_exception() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return abi::__cxa_current_exception_type()->name();
  }
}

}  // namespace carrel::scope
