#include "client/operation_reader.h"

#include <utility>

namespace carrel::client {
namespace {
constexpr std::size_t kMalformedKept = 10;  // enough to see a pattern; memory stays bounded
}

std::optional<Operation> OperationReader::next() {
  while (on_malformed_ == OnMalformed::skip || malformed_lines_ == 0) {
    if (!std::getline(input_, text_)) return std::nullopt;
    ++line_;
    bytes_read_ += text_.size() + 1;
    if (text_.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto parsed = parse_operation(text_, line_);
    if (auto* operation = std::get_if<Operation>(&parsed)) return std::move(*operation);
    ++malformed_lines_;
    if (malformed_.size() < kMalformedKept)
      malformed_.push_back(std::move(std::get<Malformed>(parsed)));
  }
  return std::nullopt;
}

}  // namespace carrel::client
