// code_of: which error a call ends with.
#pragma once

#include <string>

#include "carrel/base/error.h"

namespace carrel {

// The code of the Error that f throws; "" if it throws none.
template <class F>
std::string code_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return std::string(error.code());
  }
  return {};
}

}  // namespace carrel
