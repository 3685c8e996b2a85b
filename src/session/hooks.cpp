#include "session/hooks.h"

#include <exception>
#include <stdexcept>
#include <utility>

namespace carrel::session {
namespace {

// For std::rethrow_if_nested.
struct NoStdException : std::runtime_error, std::nested_exception {
  NoStdException() : std::runtime_error("what it threw is no std::exception") {}
};

}  // namespace

void Hooks::add(Kind kind, std::function<void()> hook) {
  entries_.push_back({kind, [run = std::move(hook)](Outcome) { run(); }});
}

void Hooks::add_before_commit(std::function<void()> hook) {
  add(Kind::before_commit, std::move(hook));
}

void Hooks::add_after_commit(std::function<void()> hook) {
  add(Kind::after_commit, std::move(hook));
}

void Hooks::add_after_rollback(std::function<void()> hook) {
  add(Kind::after_rollback, std::move(hook));
}

void Hooks::add_after_completion(std::function<void(Outcome)> hook) {
  entries_.push_back({Kind::after_completion, std::move(hook)});
}

void Hooks::roll_back_since(std::size_t mark) noexcept {
  for (; mark < entries_.size(); ++mark) entries_[mark].rolled_back = true;
}

// By index, and each taken out before it runs: a hook that adds another moves the entries.
void Hooks::run_before_commit() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].kind != Kind::before_commit || entries_[i].rolled_back) continue;
    const auto hook = std::move(entries_[i].hook);
    hook(Outcome::committed);
  }
}

bool Hooks::applies(Kind kind, Outcome outcome) noexcept {
  switch (kind) {
    case Kind::before_commit:
      return false;
    case Kind::after_commit:
      return outcome == Outcome::committed;
    case Kind::after_rollback:
      return outcome == Outcome::rolled_back;
    case Kind::after_completion:
      return true;
  }
  return false;
}

void Hooks::run_after(Outcome outcome, const std::function<void(const std::exception&)>& on_error) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto own = entries_[i].rolled_back ? Outcome::rolled_back : outcome;
    if (!applies(entries_[i].kind, own)) continue;
    const auto hook = std::move(entries_[i].hook);
    try {
      hook(own);
    } catch (const std::exception& error) {
      on_error(error);
    } catch (...) {
      on_error(NoStdException());  // keeps the std::current_exception() within
    }
  }
}

}  // namespace carrel::session
