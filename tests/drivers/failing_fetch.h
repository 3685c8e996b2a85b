// FailingFetch: libmariadb does not give this thread a row, or a cell of one, that it has.
//
//   const FailingFetch failing({.rows = 2});   // the third is not given
//
// For programs that link failing_fetch.cpp, which has functions of libmariadb's of its own.
#pragma once

#include <optional>

namespace carrel::test {

class FailingFetch {
 public:
  struct After {
    std::optional<int> rows = {};
    std::optional<int> cells = {};
  };
  explicit FailingFetch(After given) noexcept;
  FailingFetch(const FailingFetch&) = delete;
  FailingFetch& operator=(const FailingFetch&) = delete;
  ~FailingFetch();
};

}  // namespace carrel::test
