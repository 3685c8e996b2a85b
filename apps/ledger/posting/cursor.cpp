#include "ledger/posting/cursor.h"

#include <array>
#include <charconv>
#include <system_error>

namespace carrel::ledger {
namespace {

constexpr std::string_view kPrefix = "e";  // so that another kind of cursor can be told apart
constexpr int kBase = 36;

}  // namespace

std::string encode_cursor(std::int64_t entry_id) {
  std::array<char, 16> digits{};  // 63 bits take 13 digits to the base of 36
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), entry_id, kBase);
  return std::string(kPrefix) + std::string(digits.data(), end);
}

std::optional<std::int64_t> decode_cursor(std::string_view cursor) noexcept {
  if (!cursor.starts_with(kPrefix)) return std::nullopt;
  cursor.remove_prefix(kPrefix.size());
  std::int64_t id = 0;
  const auto [end, error] =
      std::from_chars(cursor.data(), cursor.data() + cursor.size(), id, kBase);
  if (error != std::errc() || end != cursor.data() + cursor.size() || id <= 0) return std::nullopt;
  return id;
}

}  // namespace carrel::ledger
