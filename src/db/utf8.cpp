#include "db/utf8.h"

#include <cstdint>
#include <cstring>

#include "base/utf8.h"

namespace carrel::db {
namespace {

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
    if (static_cast<unsigned char>(text.front()) >= 0x80) length = base::utf8_sequence_length(text);
    if (length == 0 || text.front() == '\0') return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace carrel::db
