#include "db/utf8.h"

#include <cstdint>
#include <cstring>

namespace carrel::db {
namespace {

bool is_continuation(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Length of the well-formed sequence at the front of `text`, which begins beyond ASCII; 0 if it is
// none.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
  const unsigned second = byte(1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return length;
}

// Eight ASCII characters at once, none of them NUL.
bool is_plain(const char* eight) noexcept {
  std::uint64_t word;
  std::memcpy(&word, eight, sizeof word);
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  constexpr std::uint64_t ones = 0x0101010101010101;
  return ((word | (word - ones)) & high_bits) == 0;
}

}  // namespace

bool is_valid_text(std::string_view text) noexcept {
  while (text.size() >= 8 && is_plain(text.data())) text.remove_prefix(8);
  while (!text.empty()) {
    std::size_t length = 1;
    if (static_cast<unsigned char>(text.front()) >= 0x80) length = sequence_length(text);
    if (length == 0 || text.front() == '\0') return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace carrel::db
