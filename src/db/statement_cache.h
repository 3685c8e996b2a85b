// StatementCache: the prepared statements of one connection, the least recently used leaves first.
//
// Threads: as its connection, one at a time. Lifetime: a reference stays good until the entry is
// erased, or `capacity` other statements have been used.
#pragma once

#include <array>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "carrel/db/connection.h"

namespace carrel::db {

template <class Prepared>
class StatementCache {
 public:
  explicit StatementCache(std::size_t capacity) : capacity_(capacity == 0 ? 1 : capacity) {}

  [[nodiscard]] Prepared* find(const Statement& statement) noexcept {
    if (statement.key != 0) {
      Entry* entry = by_key_[statement.key % kKeys];
      if (entry != nullptr && entry->key == statement.key) return use(entry->self);
    }
    const auto found = by_text_.find(statement.text);
    if (found == by_text_.end()) return nullptr;
    remember_key(*found->second, statement.key);
    return use(found->second);
  }

  Prepared& insert(const Statement& statement, Prepared prepared) {
    if (entries_.size() >= capacity_) drop(std::prev(entries_.end()));
    entries_.emplace_front(std::string(statement.text), std::move(prepared));
    auto& entry = entries_.front();
    entry.self = entries_.begin();
    by_text_.emplace(entry.text, entries_.begin());
    remember_key(entry, statement.key);
    return entry.prepared;
  }

  void erase(std::string_view text) {
    if (const auto found = by_text_.find(text); found != by_text_.end()) drop(found->second);
  }

  void clear() noexcept {
    by_key_.fill(nullptr);
    by_text_.clear();
    entries_.clear();
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  // Twice the usual number of statements of a service; a clash costs one hash of the text.
  static constexpr std::size_t kKeys = 256;

  struct Entry {
    Entry(std::string sql, Prepared made) : text(std::move(sql)), prepared(std::move(made)) {}
    std::string text;
    Prepared prepared;
    std::uint64_t key = 0;
    typename std::list<Entry>::iterator self;
  };
  using Position = typename std::list<Entry>::iterator;

  Prepared* use(Position entry) noexcept {
    if (entry != entries_.begin()) entries_.splice(entries_.begin(), entries_, entry);
    return &entry->prepared;
  }

  void remember_key(Entry& entry, std::uint64_t key) noexcept {
    if (key == 0) return;
    forget_key(entry);
    entry.key = key;
    by_key_[key % kKeys] = &entry;
  }

  void forget_key(const Entry& entry) noexcept {
    if (entry.key != 0 && by_key_[entry.key % kKeys] == &entry)
      by_key_[entry.key % kKeys] = nullptr;
  }

  void drop(Position entry) {
    forget_key(*entry);
    by_text_.erase(entry->text);
    entries_.erase(entry);
  }

  std::size_t capacity_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, Position> by_text_;
  std::array<Entry*, kKeys> by_key_{};
};

}  // namespace carrel::db
