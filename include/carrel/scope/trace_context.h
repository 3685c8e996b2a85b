// TraceContext: where a request stands in a distributed trace, as W3C Trace Context level 1 has it.
//
// Use it to read the `traceparent` and `tracestate` headers of a request, to give the request's
// scope its place in the trace, and to write the headers of the requests that it makes. Ids are
// random, not secret.
//
//   const auto incoming = TraceContext::parse(traceparent, tracestate);   // nullopt: none, or bad
//   const TraceContext mine = incoming ? incoming->child() : TraceContext::generate();
//   const TraceContext call = mine.child();                    // a call that this request makes
//   send_header("traceparent", call.to_string());
//   if (!call.state.empty()) send_header("tracestate", call.state.text());
//
// Threads: values; everything is safe from any thread. Lifetime: a context owns everything; copies
// share the text of their state. Errors: parse() answers nullopt, and throws std::bad_alloc only;
// generate() and child() throw std::system_error if the operating system has no randomness to give.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace carrel {

// What other systems on a request's way have to tell themselves, in the `tracestate` header: passed
// on beside `traceparent`, and not looked into. Copying it costs a reference count.
class TraceState {
 public:
  static constexpr std::size_t kMembersMax = 32;
  static constexpr std::size_t kLengthMax = 512;  // characters, commas included

  TraceState() noexcept = default;

  // Reads a `tracestate` value; several headers are to be joined by commas first. Empty when any of
  // it is malformed or it has more than kMembersMax members: then nothing may be passed on. What is
  // longer than kLengthMax loses whole members, as the standard says: those of more than 128
  // characters first, then the last.
  [[nodiscard]] static TraceState parse(std::string_view tracestate);

  [[nodiscard]] bool empty() const noexcept { return text_ == nullptr; }
  // The header's value, without the optional spaces; empty if there is none.
  [[nodiscard]] std::string_view text() const noexcept {
    return text_ == nullptr ? std::string_view() : *text_;
  }

  friend bool operator==(const TraceState& a, const TraceState& b) noexcept {
    return a.text() == b.text();
  }

 private:
  std::shared_ptr<const std::string> text_;
};

struct TraceContext {
  static constexpr std::uint8_t kSampled = 0x01;  // the one flag that level 1 defines

  std::array<std::uint8_t, 16> trace_id{};  // never all zero in a valid context
  std::array<std::uint8_t, 8> span_id{};    // never all zero in a valid context
  std::uint8_t flags = 0;                   // only kSampled; unknown bits are not passed on
  TraceState state = {};

  // Reads a `traceparent` value, without surrounding spaces. Accepts version 00 exactly, and of a
  // later version its first four fields, as the standard asks. nullopt when it is malformed, when
  // an id is all zero, when a hexadecimal digit is not lower case, and for version ff; then
  // `tracestate` is not read either. A malformed `tracestate` alone leaves the state empty.
  [[nodiscard]] static std::optional<TraceContext> parse(std::string_view traceparent,
                                                         std::string_view tracestate = {});

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

  // The same trace, flags and state with a span id of its own: a part of this request, or a call
  // that it makes.
  [[nodiscard]] TraceContext child() const;

  [[nodiscard]] bool sampled() const noexcept { return (flags & kSampled) != 0; }

  // A `traceparent` value of version 00, always 55 characters.
  [[nodiscard]] std::string to_string() const;
  // 32 lower-case hexadecimal digits, for logs.
  [[nodiscard]] std::string trace_id_text() const;

  friend bool operator==(const TraceContext&, const TraceContext&) noexcept = default;
};

}  // namespace carrel
