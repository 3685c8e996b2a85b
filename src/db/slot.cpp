#include "db/slot.h"

#include <cxxabi.h>
#include <execinfo.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace carrel::db {

void Label::set(std::string_view text) noexcept {
  std::array<std::uint64_t, kWords> words{};
  // An empty text may have no address, which memcpy takes not even for a length of 0.
  text.copy(reinterpret_cast<char*>(words.data()), sizeof words);
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

namespace {

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

// backtrace_symbols gives "program(mangled+0x12) [0x...]".
std::string readable(std::string frame) {
  const auto open = frame.find('(');
  const auto plus = frame.find('+', open);
  if (open == std::string::npos || plus == std::string::npos) return frame;
  const auto mangled = frame.substr(open + 1, plus - open - 1);
  int status = 0;
  const std::unique_ptr<char, Free> name(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status));
  return status == 0 ? name.get() + frame.substr(plus) : frame;
}

}  // namespace

// How many frames lie between is the compiler's affair, and a sanitizer's.
void CallStack::take(std::size_t frames, const void* from) noexcept {
  constexpr std::size_t kBetweenMax = 8;
  std::array<void*, kFramesMax + kBetweenMax> found{};
  const auto wanted = std::min(frames, kFramesMax) + kBetweenMax;
  auto* const end = found.data() + ::backtrace(found.data(), static_cast<int>(wanted));
  auto* frame = std::find(found.data(), end, from);
  if (frame == end) frame = found.data();
  for (std::size_t i = 0; i < kFramesMax; ++i) {
    const bool is_wanted = i < frames && frame != end;
    frames_[i].store(is_wanted ? *frame++ : nullptr, std::memory_order_relaxed);
  }
}

std::vector<std::string> CallStack::names() const {
  std::array<void*, kFramesMax> frames{};
  int count = 0;
  for (const auto& frame : frames_) {
    auto* const address = frame.load(std::memory_order_relaxed);
    if (address == nullptr) break;
    frames[static_cast<std::size_t>(count++)] = address;
  }
  std::vector<std::string> names;
  if (count == 0) return names;
  const std::unique_ptr<char*, Free> symbols(::backtrace_symbols(frames.data(), count));
  for (int i = 0; symbols && i < count; ++i) names.push_back(readable(symbols.get()[i]));
  return names;
}

}  // namespace carrel::db
