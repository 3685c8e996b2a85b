#include "carrel/session/session.h"

#include <utility>

#include "carrel/scope/scope.h"
#include "session/session_core.h"

namespace carrel {

namespace {

// What a text or a blob borrows; of other kinds nothing.
std::string_view borrowed_by(const Value& value) noexcept {
  if (value.kind() == ValueKind::text) return value.text();
  if (value.kind() != ValueKind::bytes) return {};
  return {reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size()};
}

// The same value, of a copy of what it borrowed.
Value with(const Value& value, std::string_view copy) noexcept {
  if (value.kind() == ValueKind::text) return copy;
  if (value.kind() == ValueKind::bytes) return std::as_bytes(std::span(copy));
  return value;
}

}  // namespace

Batch::KeptArray::KeptArray(const Array& from)
    : elements(from.size()), array(elements, from.kind()) {
  std::size_t borrowed = 0;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i] = from[i];
    borrowed += borrowed_by(elements[i]).size();
  }
  bytes.reserve(borrowed);  // so that nothing moves
  for (auto& element : elements) {
    const auto own = borrowed_by(element);
    bytes += own;
    element = with(element, std::string_view(bytes).substr(bytes.size() - own.size()));
  }
}

Value Batch::kept(const Value& value) {
  if (value.kind() == ValueKind::array) return arrays_.emplace_front(value.array()).array;
  if (value.kind() != ValueKind::text && value.kind() != ValueKind::bytes) return value;
  return with(value, texts_.emplace_back(borrowed_by(value)));
}

Batch& Batch::add_values(const Statement& sql, std::span<const Value> parameters) {
  // First, since an element of an array may throw.
  const auto first = values_.size();
  for (const auto& value : parameters) values_.push_back(kept(value));
  entries_.push_back({.sql = std::string(sql.text),
                      .leaves = sql.leaves,
                      .first = first,
                      .count = parameters.size()});
  return *this;
}

Session::Session(SessionOptions options) : core_(std::make_unique<Core>(std::move(options))) {}

Session::~Session() = default;

void Session::run(const TransactionOptions& options, Body body, void* closure) {
  core_->run(options, body, closure);
}

Together Session::run_together(const TransactionOptions& options,
                               std::span<const std::function<void()>> branches) {
  return core_->together(options, branches);
}

Recovery Session::recover(std::chrono::milliseconds wait_max) {
  return core_->recover(wait_max);
}

Result Session::execute_values(const Statement& sql, std::span<const Value> parameters) {
  return core_->execute(sql, parameters);
}

std::vector<Result> Session::batch(const Batch& batch) {
  return core_->batch(batch.entries_, batch.values_);
}

std::int64_t Session::load(std::string_view table, std::span<const std::string_view> columns,
                           std::span<const Value> values) {
  return core_->load(table, columns, values);
}

void Session::set_rollback_only() {
  core_->require_transaction().doom(session::PhysicalTransaction::Doom::asked);
}

bool Session::in_transaction() const noexcept {
  const auto* bound = core_->find_bound();
  return bound != nullptr && bound->current != nullptr;
}

void Session::before_commit(std::function<void()> hook) {
  core_->require_transaction().hooks().add_before_commit(std::move(hook));
}

void Session::after_commit(std::function<void()> hook) {
  core_->hooks_to_complete().add_after_commit(std::move(hook));
}

void Session::after_rollback(std::function<void()> hook) {
  core_->hooks_to_complete().add_after_rollback(std::move(hook));
}

void Session::after_completion(std::function<void(Outcome)> hook) {
  core_->hooks_to_complete().add_after_completion(std::move(hook));
}

std::string_view scope_label() noexcept {
  const auto* scope = Scope::current();
  return scope == nullptr ? std::string_view() : scope->name();
}

}  // namespace carrel
