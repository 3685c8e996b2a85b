// TraceContext: where a request stands in a distributed trace, as W3C Trace Context level 1 has it.
//
// Use it to read the `traceparent` header of a request, to give the request's scope its place in
// the trace, and to write the header of the requests that it makes. Not for `tracestate`: pass that
// header on unread. Ids are random, not secret.
//
//   const auto incoming = TraceContext::parse(header);            // nullopt: malformed or missing
//   const TraceContext mine = incoming ? incoming->child() : TraceContext::generate();
//   send_header("traceparent", mine.child().to_string());         // a call that this request makes
//
// Threads: a value; generate() and child() are safe from any thread.
// Lifetime: owns everything. Errors: parse() never throws, it answers nullopt; generate() and
// child() throw std::system_error if the operating system has no randomness to give.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace carrel {

struct TraceContext {
  static constexpr std::uint8_t kSampled = 0x01;  // the one flag that level 1 defines

  std::array<std::uint8_t, 16> trace_id{};  // never all zero in a valid context
  std::array<std::uint8_t, 8> span_id{};    // never all zero in a valid context
  std::uint8_t flags = 0;                   // only kSampled; unknown bits are not passed on

  // Reads a `traceparent` value, without surrounding spaces. Accepts version 00 exactly, and of a
  // later version its first four fields, as the standard asks. nullopt when it is malformed, when
  // an id is all zero, when a hexadecimal digit is not lower case, and for version ff.
  [[nodiscard]] static std::optional<TraceContext> parse(std::string_view traceparent) noexcept;

  // A new trace, sampled, with ids from the operating system.
  [[nodiscard]] static TraceContext generate();

  // The same with ids from `random`, for tests and simulations that repeat.
  template <std::uniform_random_bit_generator Random>
  [[nodiscard]] static TraceContext generate(Random& random) {
    std::uniform_int_distribution<std::uint64_t> words(1);  // no zero: no id is ever all zero
    TraceContext made{.flags = kSampled};
    made.trace_id = std::bit_cast<decltype(trace_id)>(std::array{words(random), words(random)});
    made.span_id = std::bit_cast<decltype(span_id)>(words(random));
    return made;
  }

  // The same trace and flags with a span id of its own: a part of this request, or a call it makes.
  [[nodiscard]] TraceContext child() const;

  [[nodiscard]] bool sampled() const noexcept { return (flags & kSampled) != 0; }

  // A `traceparent` value of version 00, always 55 characters.
  [[nodiscard]] std::string to_string() const;
  // 32 lower-case hexadecimal digits, for logs.
  [[nodiscard]] std::string trace_id_text() const;

  friend bool operator==(const TraceContext&, const TraceContext&) noexcept = default;
};

}  // namespace carrel
