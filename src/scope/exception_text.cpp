#include "scope/exception_text.h"

#include <cxxabi.h>

#include <typeinfo>

namespace carrel::scope {

std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return std::string("an object of type ") + abi::__cxa_current_exception_type()->name();
  }
}

}  // namespace carrel::scope
