#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "carrel/session/transaction.h"

namespace carrel {
namespace {

// http://www.isthe.com/chongo/tech/comp/fnv/, FNV-1a with its 64-bit constants.
std::uint64_t fnv1a(std::string_view bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

// MurmurHash3's fmix64. FNV's low bits alone hardly depend on the order of the bytes, and the
// bucket is taken from them.
std::uint64_t stirred(std::uint64_t hash) noexcept {
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53;
  hash ^= hash >> 33;
  return hash;
}

std::uint64_t hash_of(std::int64_t key) noexcept {
  std::array<char, 20> digits{};  // as long as the smallest one
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), key).ptr;
  return stirred(fnv1a({digits.data(), end}));
}

}  // namespace

ShardKey::ShardKey(std::string_view key) noexcept : hash_(stirred(fnv1a(key))) {}

ShardKey::ShardKey(std::int64_t key) noexcept : hash_(hash_of(key)) {}

}  // namespace carrel
