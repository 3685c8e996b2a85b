#include "db/slot.h"

#include <algorithm>
#include <cstring>

namespace carrel::db {

void Label::set(std::string_view text) noexcept {
  std::array<std::uint64_t, kWords> words{};
  std::memcpy(words.data(), text.data(), std::min(text.size(), sizeof words));
  for (std::size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_relaxed);
}

std::string Label::get() const {
  std::array<char, kWords * sizeof(std::uint64_t)> text{};
  for (std::size_t i = 0; i < kWords; ++i) {
    const auto word = words_[i].load(std::memory_order_relaxed);
    std::memcpy(text.data() + i * sizeof word, &word, sizeof word);
  }
  return {text.data(), ::strnlen(text.data(), text.size())};
}

}  // namespace carrel::db
