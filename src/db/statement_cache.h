// StatementCache: the prepared statements of one connection, the least recently used leaves first.
//
// Threads: as its connection, one at a time. Lifetime: a reference stays good until the entry is
// erased, or `capacity` other statements have been used.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
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

  // One text means other tables in another place: whoever moves says so by a number.
  void set_space(std::size_t space) noexcept { space_ = space; }

  [[nodiscard]] Prepared* find(const Statement& statement) noexcept {
    if (statement.key != 0) {
      Entry* entry = by_key_[statement.key % kKeys];
      if (entry != nullptr && entry->key == statement.key && entry->space == space_)
        return use(entry->self);
    }
    const auto found = by_text_.find({statement.text, space_});
    if (found == by_text_.end()) return nullptr;
    remember_key(*found->second, statement.key);
    return use(found->second);
  }

  Prepared& insert(const Statement& statement, Prepared prepared) {
    if (entries_.size() >= capacity_) drop(std::prev(entries_.end()));
    entries_.emplace_front(std::string(statement.text), space_, std::move(prepared));
    auto& entry = entries_.front();
    entry.self = entries_.begin();
    by_text_.emplace(Name{entry.text, space_}, entries_.begin());
    remember_key(entry, statement.key);
    return entry.prepared;
  }

  void erase(std::string_view text) {
    if (const auto found = by_text_.find({text, space_}); found != by_text_.end())
      drop(found->second);
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
    Entry(std::string sql, std::size_t where, Prepared made)
        : text(std::move(sql)), space(where), prepared(std::move(made)) {}
    std::string text;
    std::size_t space;
    Prepared prepared;
    std::uint64_t key = 0;
    typename std::list<Entry>::iterator self;
  };
  struct Name {
    std::string_view text;
    std::size_t space;
    friend bool operator==(const Name&, const Name&) = default;
  };
  struct NameHash {
    std::size_t operator()(const Name& name) const noexcept {
      return std::hash<std::string_view>()(name.text) ^ (name.space * 0x9e3779b97f4a7c15);
    }
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
    by_text_.erase({entry->text, entry->space});
    entries_.erase(entry);
  }

  std::size_t capacity_;
  std::size_t space_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<Name, Position, NameHash> by_text_;
  std::array<Entry*, kKeys> by_key_{};
};

}  // namespace carrel::db
