#include "carrel/scope/trace_context.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <system_error>

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

}  // namespace

std::optional<TraceContext> TraceContext::parse(std::string_view traceparent) noexcept {
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
  return TraceContext{*trace_id, *span_id, static_cast<std::uint8_t>(flags->front() & kSampled)};
}

TraceContext TraceContext::generate() {
  return {random_id<16>(), random_id<8>(), kSampled};
}

TraceContext TraceContext::child() const {
  return {trace_id, random_id<8>(), flags};
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
