// What a connection remembers of a statement's text.
#pragma once

#include <algorithm>
#include <cstdint>
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
    for (const auto& value : like) types_.push_back(type_of(value));
  }
  Variant(const Variant&) = delete;
  Variant& operator=(const Variant&) = delete;
  ~Variant() {
    if (on_server) discarded_->push_back(std::move(name_));
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // Null goes with every type.
  [[nodiscard]] bool takes(std::span<const Value> values) const noexcept {
    return std::ranges::equal(values, types_, [](const Value& value, std::uint8_t type) {
      return value.is_null() || type_of(value) == type;
    });
  }
  // The same for values without an array, which pay nothing for those: an array's type is no kind's
  // number.
  [[nodiscard]] bool takes_plain(std::span<const Value> values) const noexcept {
    return std::ranges::equal(values, types_, [](const Value& value, std::uint8_t type) {
      return value.is_null() || as_type(value.kind()) == type;
    });
  }

  bool on_server = false;
  std::shared_ptr<const Result::Columns> columns;

 private:
  static constexpr std::uint8_t as_type(ValueKind kind) noexcept {
    return static_cast<std::uint8_t>(kind);
  }
  // The kind; of an array that of its elements, behind all kinds.
  static std::uint8_t type_of(const Value& value) noexcept {
    if (value.kind() != ValueKind::array) return as_type(value.kind());
    return as_type(ValueKind::array) + 1 + as_type(value.array().kind());
  }

  std::string name_;
  std::vector<std::uint8_t> types_;
  Discarded* discarded_;  // the connection's, which outlives its statements
};

struct KnownStatement {
  static constexpr std::size_t kVariantsMax = 4;

  remote::StatementText text;
  std::vector<std::shared_ptr<Variant>> variants;  // the newest last

  // What the server knows for values of these types; null where it would have to be told first, and
  // for arrays.
  [[nodiscard]] Variant* on_server_for_plain(std::span<const Value> values) const noexcept {
    for (const auto& variant : variants) {
      if (variant->takes_plain(values)) return variant->on_server ? variant.get() : nullptr;
    }
    return nullptr;
  }
};

}  // namespace carrel::postgres
