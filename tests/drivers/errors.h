// Expectations about errors.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "carrel/base/error.h"

namespace carrel::test {

// What `run` throws, as "code", "code, retryable" or "code, in doubt"; "nothing" if it does not.
template <class Run>
std::string thrown_by(const Run& run) {
  try {
    run();
  } catch (const Error& error) {
    return std::string(error.code()) + (error.retryable() ? ", retryable" : "") +
           (error.in_doubt() ? ", in doubt" : "");
  }
  return "nothing";
}

template <class Run>
std::string message_of(const Run& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace carrel::test
