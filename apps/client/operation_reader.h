// OperationReader: the operations of a stream, one at a time, whatever its size.
//
//   std::ifstream file("ops.jsonl");
//   OperationReader reader(file, OnMalformed::stop);
//   while (auto operation = reader.next()) ...
//
// Threads: one. Lifetime: the stream outlives the reader.
// Errors: a malformed line ends the reading (OnMalformed::stop) or is passed over (skip); either
// way malformed() tells which and why. Empty lines are allowed.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "client/operation.h"

namespace carrel::client {

enum class OnMalformed { stop, skip };

class OperationReader {
 public:
  OperationReader(std::istream& input, OnMalformed on_malformed)
      : input_(input), on_malformed_(on_malformed) {}

  // Nothing at the end of the stream, or after a malformed line with OnMalformed::stop.
  [[nodiscard]] std::optional<Operation> next();

  [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  [[nodiscard]] std::uint64_t malformed_lines() const noexcept { return malformed_lines_; }
  // The first few of them.
  [[nodiscard]] const std::vector<Malformed>& malformed() const noexcept { return malformed_; }

 private:
  std::istream& input_;
  OnMalformed on_malformed_;
  std::string text_;
  std::uint64_t line_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t malformed_lines_ = 0;
  std::vector<Malformed> malformed_;
};

}  // namespace carrel::client
