#include "carrel/session/session.h"

#include <utility>

#include "carrel/scope/scope.h"
#include "session/session_core.h"

namespace carrel {

Batch& Batch::add_values(const Statement& sql, std::span<const Value> parameters) {
  entries_.push_back({.sql = std::string(sql.text),
                      .leaves = sql.leaves,
                      .first = values_.size(),
                      .count = parameters.size()});
  for (const auto& value : parameters) {
    if (value.kind() == ValueKind::text) {
      values_.emplace_back(std::string_view(texts_.emplace_back(value.text())));
    } else if (value.kind() == ValueKind::bytes) {
      const auto bytes = value.bytes();
      const auto& kept =
          texts_.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      values_.emplace_back(std::as_bytes(std::span(kept)));
    } else {
      values_.push_back(value);
    }
  }
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
