// KeysInProgress: the idempotency keys that are being worked on at this moment.
//
// A second request with a key that is under way would wait on a worker only to replay the first
// one's answer; it is told to come back instead (409). The database, not this set, is what makes a
// key unique: it may forget everything at a restart.
//
//   const auto claim = keys.claim(Book::consumer, "order-17");
//   if (!claim) return in_progress();                 // else ours until claim ends
//
// Threads: safe from any. Lifetime: outlives its claims.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "ledger/domain/book.h"

namespace carrel::ledger::http {

class KeysInProgress {
 public:
  class [[nodiscard]] Claim {
   public:
    Claim(Claim&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), key_(std::move(other.key_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim();

   private:
    friend class KeysInProgress;
    Claim(KeysInProgress* owner, std::string key) : owner_(owner), key_(std::move(key)) {}

    KeysInProgress* owner_;
    std::string key_;
  };

  // Nothing if somebody else holds it.
  [[nodiscard]] std::optional<Claim> claim(Book book, std::string_view key);
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_set<std::string> keys_;  // GUARDED_BY(mutex_); the book's letter, then the key
};

}  // namespace carrel::ledger::http
