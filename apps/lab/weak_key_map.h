// WeakKeyMap: a thread's map of variables as the JDK's ThreadLocalMap has it, for comparison.
//
// A key is weak: it does not keep its variable alive, and when the variable is gone the entry is
// stale. Nobody tells the map so. The value of a stale entry stays until an operation comes across
// the entry: a search that misses clears the stale entries of the run it probed, an insertion looks
// at a few more places (logarithmically many), and growth clears all.
//
// Threads: of one thread. Lifetime: values live until they are replaced or cleared, or the map
// ends. After OpenJDK's ThreadLocal.java, by its rules and in our words.
#pragma once

#include <bit>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace carrel::lab {

// A variable is its identity; every thread's map has a value for it or has not.
struct WeakVariable {
  explicit WeakVariable(std::size_t number) : hash(number * 0x61c88647) {}  // the JDK's increment
  std::size_t hash;
};
using WeakKey = std::shared_ptr<const WeakVariable>;

template <class Value>
class WeakKeyMap {
 public:
  // nullptr if there is none.
  Value* find(const WeakKey& key) {
    std::size_t at = home_of(key->hash);
    for (; table_[at].value; at = next(at)) {
      if (table_[at].is(key)) return &*table_[at].value;
      if (table_[at].key.expired()) {
        expunge(at);
        return find(key);  // the run has closed up
      }
    }
    return nullptr;
  }

  void set(const WeakKey& key, Value value) {
    std::size_t at = home_of(key->hash);
    std::optional<std::size_t> stale;
    for (; table_[at].value; at = next(at)) {
      if (table_[at].is(key)) {
        *table_[at].value = std::move(value);
        return;
      }
      if (!stale && table_[at].key.expired()) stale = at;
    }
    if (stale) {
      table_[*stale] = Entry{key, key->hash, std::move(value)};
      clean_some(*stale, table_.size());
      return;
    }
    table_[at] = Entry{key, key->hash, std::move(value)};
    ++entries_;
    if (!clean_some(at, entries_) && entries_ >= threshold()) rehash();
  }

  // Stale ones included.
  [[nodiscard]] std::size_t entries() const noexcept { return entries_; }

 private:
  struct Entry {
    std::weak_ptr<const WeakVariable> key{};
    std::size_t hash = 0;
    std::optional<Value> value{};  // without one the place is free

    [[nodiscard]] bool is(const WeakKey& wanted) const { return key.lock() == wanted; }
    [[nodiscard]] bool is_stale() const { return value && key.expired(); }
  };

  [[nodiscard]] std::size_t home_of(std::size_t hash) const { return hash & (table_.size() - 1); }
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & (table_.size() - 1); }
  [[nodiscard]] std::size_t threshold() const { return table_.size() * 2 / 3; }

  // Clears the place, and moves up what its run had displaced.
  void expunge(std::size_t at) {
    clear(at);
    for (at = next(at); table_[at].value; at = next(at)) {
      if (table_[at].key.expired()) {
        clear(at);
        continue;
      }
      Entry moved = std::exchange(table_[at], {});
      std::size_t to = home_of(moved.hash);
      while (table_[to].value) to = next(to);
      table_[to] = std::move(moved);
    }
  }

  void clear(std::size_t at) {
    table_[at] = {};
    --entries_;
  }

  // Looks at log2(n) places, and at log2(capacity) more after each find: between never looking and
  // looking at all, which would make insertion linear.
  bool clean_some(std::size_t at, std::size_t n) {
    bool found = false;
    for (std::size_t left = std::bit_width(n); left > 0; --left) {
      at = next(at);
      if (!table_[at].is_stale()) continue;
      found = true;
      left = std::bit_width(table_.size()) + 1;
      expunge(at);
    }
    return found;
  }

  void rehash() {
    for (std::size_t at = 0; at < table_.size(); ++at)
      while (table_[at].is_stale()) expunge(at);
    if (entries_ < threshold() * 3 / 4) return;
    std::vector<Entry> old = std::exchange(table_, std::vector<Entry>(table_.size() * 2));
    for (Entry& entry : old) {
      if (!entry.value) continue;
      std::size_t to = home_of(entry.hash);
      while (table_[to].value) to = next(to);
      table_[to] = std::move(entry);
    }
  }

  std::vector<Entry> table_ = std::vector<Entry>(16);
  std::size_t entries_ = 0;
};

}  // namespace carrel::lab
