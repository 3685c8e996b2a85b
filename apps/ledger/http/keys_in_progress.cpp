#include "ledger/http/keys_in_progress.h"

namespace carrel::ledger::http {

std::optional<KeysInProgress::Claim> KeysInProgress::claim(Book book, std::string_view key) {
  std::string marked(1, to_string(book).front());
  marked.append(key);
  const std::lock_guard lock(mutex_);
  if (!keys_.insert(marked).second) return std::nullopt;
  return Claim(this, std::move(marked));
}

std::size_t KeysInProgress::size() const {
  const std::lock_guard lock(mutex_);
  return keys_.size();
}

KeysInProgress::Claim::~Claim() {
  if (owner_ == nullptr) return;
  const std::lock_guard lock(owner_->mutex_);
  owner_->keys_.erase(key_);
}

}  // namespace carrel::ledger::http
