#include "client/schedule.h"

#include <algorithm>
#include <utility>

#include "carrel/base/assert.h"

namespace carrel::client {
namespace {

// Accounts and keys are separate name spaces, and each book has its own.
std::string provider_name(Book book, char name_space, std::string_view name) {
  std::string text;
  text.reserve(name.size() + 2);
  text += book == Book::consumer ? 'c' : 'm';
  text += name_space;
  text += name;
  return text;
}

std::string account_name(Book book, std::string_view name) {
  return provider_name(book, 'a', name);
}
std::string key_name(Book book, std::string_view name) {
  return provider_name(book, 'k', name);
}

std::string provided_by(const Operation& operation) {
  return operation.kind == Kind::open ? account_name(operation.book, operation.account)
                                      : key_name(operation.book, operation.key);
}

}  // namespace

const Operation* Schedule::next() {
  while (ready_.empty() && !exhausted_ && unanswered_.size() < window_.unanswered_max) {
    if (auto operation = reader_.next())
      admit(*std::move(operation));
    else
      exhausted_ = true;
  }
  if (ready_.empty()) return nullptr;
  Node* node = ready_.front();
  ready_.pop_front();
  return node;
}

void Schedule::admit(Operation operation) {
  const Book book = operation.book;
  Node& node = unanswered_.emplace_back(Node{std::move(operation), 0, {}, {}});
  node.place = std::prev(unanswered_.end());

  const std::string provided = provided_by(node);
  wait_for(node, provided);
  if (node.kind != Kind::open) {
    wait_for(node, account_name(book, node.from));
    wait_for(node, account_name(book, node.to));
  }
  if (!node.original.empty()) wait_for(node, key_name(book, node.original));
  for (const std::string& key : node.after) wait_for(node, key_name(book, key));

  providers_[provided] = &node;
  if (node.waits_for == 0) ready_.push_back(&node);
}

void Schedule::wait_for(Node& node, std::string_view provider) {
  const auto found = providers_.find(std::string(provider));
  if (found == providers_.end()) return;
  found->second->waiters.push_back(&node);
  ++node.waits_for;
}

void Schedule::complete(const Operation& operation) {
  // next() hands out nothing but nodes, and unanswered_ owns them as non-const.
  Node& node = const_cast<Node&>(static_cast<const Node&>(operation));
  CARREL_ASSERT(node.waits_for == 0, "an operation was completed that was never sent");
  for (Node* waiter : node.waiters)
    if (--waiter->waits_for == 0) ready_.push_back(waiter);
  const auto provider = providers_.find(provided_by(node));
  if (provider != providers_.end() && provider->second == &node) providers_.erase(provider);
  unanswered_.erase(node.place);
}

std::optional<std::uint64_t> Schedule::first_unanswered_line() const noexcept {
  if (unanswered_.empty()) return std::nullopt;
  return unanswered_.front().line;
}

}  // namespace carrel::client
