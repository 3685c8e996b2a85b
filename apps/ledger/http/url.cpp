#include "ledger/http/url.h"

namespace carrel::ledger::http {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus { literal, space };  // only a query writes a space as '+'

std::optional<std::string> decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus == Plus::space) {
      c = ' ';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    decoded.push_back(c);
  }
  return decoded;
}

bool parse_query(std::string_view text, Target& target) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto name = decode(pair.substr(0, equals), Plus::space);
    auto value = decode(equals == pair.npos ? "" : pair.substr(equals + 1), Plus::space);
    if (!name || !value) return false;
    target.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

}  // namespace

std::optional<std::string_view> Target::query_value(std::string_view name) const noexcept {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return std::nullopt;
}

std::optional<Target> parse_target(std::string_view text) {
  if (text.empty() || text.front() != '/') return std::nullopt;
  Target target;
  const std::size_t question = text.find('?');
  if (question != text.npos && !parse_query(text.substr(question + 1), target)) return std::nullopt;

  std::string_view path = text.substr(1, question == text.npos ? text.npos : question - 1);
  while (true) {
    const std::size_t slash = path.find('/');
    auto segment = decode(path.substr(0, slash), Plus::literal);
    if (!segment) return std::nullopt;
    target.segments.push_back(std::move(*segment));
    if (slash == path.npos) return target;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace carrel::ledger::http
