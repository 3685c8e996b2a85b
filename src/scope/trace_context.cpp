#include "carrel/scope/trace_context.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace carrel {
namespace {

// version "-" trace-id "-" parent-id "-" trace-flags
// https://www.w3.org/TR/trace-context-1/#traceparent-header-field-values
constexpr std::size_t kLength = 2 + 1 + 32 + 1 + 16 + 1 + 2;
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kSpanIdAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::uint8_t kInvalidVersion = 0xff;

// The value of a lower-case hexadecimal digit; -1 for anything else.
constexpr int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> read_hex(std::string_view text) noexcept {
  std::array<std::uint8_t, N> bytes{};
  for (std::size_t i = 0; i < N; ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return bytes;
}

void append_hex(std::string& text, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
}

bool all_zero(std::span<const std::uint8_t> bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// The kernel's generator, and no state of ours: a forked child cannot repeat its parent's ids.
template <std::size_t N>
std::array<std::uint8_t, N> random_id() {
  std::array<std::uint8_t, N> id{};
  do {  // all zero once in 2^64: still not allowed
    if (::getrandom(id.data(), N, 0) != static_cast<ssize_t>(N) && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "getrandom");
  } while (all_zero(id));
  return id;
}

// The members of a `tracestate` value. https://www.w3.org/TR/trace-context-1/#tracestate-header
constexpr std::size_t kLargeMember = 128;  // the first to go when the whole is too long

bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
bool is_key_character(char c) noexcept {
  return is_lower(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '/';
}

// One part of a key.
enum class First : std::uint8_t { letter, letter_or_digit };
bool is_key_part(std::string_view part, First first, std::size_t length_max) noexcept {
  if (part.empty() || part.size() > length_max) return false;
  const bool digit_leads = part.front() >= '0' && part.front() <= '9';
  if (!is_lower(part.front()) && !(first == First::letter_or_digit && digit_leads)) return false;
  return std::ranges::all_of(part, is_key_character);
}

// `vendor`, or `tenant@vendor`.
bool is_key(std::string_view key) noexcept {
  const std::size_t at = key.find('@');
  if (at == std::string_view::npos) return is_key_part(key, First::letter, 256);
  return is_key_part(key.substr(0, at), First::letter_or_digit, 241) &&
         is_key_part(key.substr(at + 1), First::letter, 14);
}

// Printable, without the signs of the list. (It never ends in a space: the list cuts those off.)
bool is_value(std::string_view value) noexcept {
  return !value.empty() && value.size() <= 256 && std::ranges::all_of(value, [](char c) {
    return c >= 0x20 && c <= 0x7e && c != ',' && c != '=';
  });
}

bool is_member(std::string_view member) noexcept {
  const std::size_t equals = member.find('=');
  return equals != std::string_view::npos && is_key(member.substr(0, equals)) &&
         is_value(member.substr(equals + 1));
}

std::string_view without_spaces_around(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

using Members = std::vector<std::string_view>;

// nullopt: malformed, or too many. Empty members are allowed, and do not count.
std::optional<Members> read_members(std::string_view list) {
  Members members;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view member = without_spaces_around(list.substr(begin, end - begin));
    begin = end + 1;
    if (member.empty()) continue;
    if (!is_member(member) || members.size() == TraceState::kMembersMax) return std::nullopt;
    members.push_back(member);
  }
  return members;
}

std::size_t joined_length(const Members& members) noexcept {
  std::size_t length = members.empty() ? 0 : members.size() - 1;
  for (const std::string_view member : members) length += member.size();
  return length;
}

void shorten(Members& members) {
  while (joined_length(members) > TraceState::kLengthMax) {
    const auto large = std::ranges::find_if(
        members.rbegin(), members.rend(), [](auto member) { return member.size() > kLargeMember; });
    members.erase(large == members.rend() ? std::prev(members.end()) : std::prev(large.base()));
  }
}

}  // namespace

TraceState TraceState::parse(std::string_view tracestate) {
  TraceState state;
  std::optional<Members> members = read_members(tracestate);
  if (!members || members->empty()) return state;
  shorten(*members);
  std::string text;
  text.reserve(joined_length(*members));
  for (const std::string_view member : *members) {
    if (!text.empty()) text += ',';
    text += member;
  }
  if (!text.empty()) state.text_ = std::make_shared<const std::string>(std::move(text));
  return state;
}

std::optional<TraceContext> TraceContext::parse(std::string_view traceparent,
                                                std::string_view tracestate) {
  if (traceparent.size() < kLength) return std::nullopt;
  if (traceparent[kTraceIdAt - 1] != '-' || traceparent[kSpanIdAt - 1] != '-' ||
      traceparent[kFlagsAt - 1] != '-')
    return std::nullopt;

  const auto version = read_hex<1>(traceparent);
  if (!version || version->front() == kInvalidVersion) return std::nullopt;
  // Version 00 ends here; a later one may go on, but only with another field.
  if (traceparent.size() > kLength && (version->front() == 0 || traceparent[kLength] != '-'))
    return std::nullopt;

  const auto trace_id = read_hex<16>(traceparent.substr(kTraceIdAt));
  const auto span_id = read_hex<8>(traceparent.substr(kSpanIdAt));
  const auto flags = read_hex<1>(traceparent.substr(kFlagsAt));
  if (!trace_id || !span_id || !flags) return std::nullopt;
  if (all_zero(*trace_id) || all_zero(*span_id)) return std::nullopt;
  return TraceContext{*trace_id, *span_id, static_cast<std::uint8_t>(flags->front() & kSampled),
                      TraceState::parse(tracestate)};
}

TraceContext TraceContext::generate() {
  return {random_id<16>(), random_id<8>(), kSampled, {}};
}

TraceContext TraceContext::child() const {
  return {trace_id, random_id<8>(), flags, state};
}

std::string TraceContext::to_string() const {
  std::string text;
  text.reserve(kLength);
  text += "00-";
  append_hex(text, trace_id);
  text += '-';
  append_hex(text, span_id);
  text += '-';
  append_hex(text, {&flags, 1});
  return text;
}

std::string TraceContext::trace_id_text() const {
  std::string text;
  append_hex(text, trace_id);
  return text;
}

}  // namespace carrel
