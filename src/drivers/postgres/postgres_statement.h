// What a connection remembers of a statement's text.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "carrel/db/result.h"
#include "carrel/db/value.h"
#include "drivers/remote/statement_text.h"

namespace carrel::postgres {

// Names of prepared statements that nobody needs any more; the server is told with the next one.
using Discarded = std::vector<std::string>;

// One text prepared for parameters of certain types.
class Variant {
 public:
  Variant(std::string name, std::span<const Value> like, Discarded* discarded)
      : name_(std::move(name)), discarded_(discarded) {
    for (const auto& value : like) kinds_.push_back(value.kind());
  }
  Variant(const Variant&) = delete;
  Variant& operator=(const Variant&) = delete;
  ~Variant() {
    if (on_server) discarded_->push_back(std::move(name_));
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // Null goes with every type.
  [[nodiscard]] bool takes(std::span<const Value> values) const noexcept {
    return std::ranges::equal(values, kinds_, [](const Value& value, ValueKind kind) {
      return value.is_null() || value.kind() == kind;
    });
  }

  bool on_server = false;
  std::shared_ptr<const Result::Columns> columns;

 private:
  std::string name_;
  std::vector<ValueKind> kinds_;
  Discarded* discarded_;  // the connection's, which outlives its statements
};

struct KnownStatement {
  static constexpr std::size_t kVariantsMax = 4;

  remote::StatementText text;
  std::vector<std::shared_ptr<Variant>> variants;  // the newest last

  // What the server knows for values of these types; null where it would have to be told first.
  [[nodiscard]] Variant* on_server_for(std::span<const Value> values) const noexcept {
    for (const auto& variant : variants) {
      if (variant->takes(values)) return variant->on_server ? variant.get() : nullptr;
    }
    return nullptr;
  }
};

}  // namespace carrel::postgres
