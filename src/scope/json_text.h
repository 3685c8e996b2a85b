// JsonText: writes JSON objects and arrays one after another. Enough for inspect(), and no more.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::scope {

class JsonText {
 public:
  void begin(char bracket);
  void end(char bracket);
  void key(std::string_view name);
  void value(std::string_view text);
  void value(std::uint64_t number);
  void value(bool truth);

  template <class V>
  void member(std::string_view name, const V& v) {
    key(name);
    if constexpr (std::same_as<V, bool>) {
      value(v);
    } else if constexpr (std::integral<V>) {
      value(static_cast<std::uint64_t>(v));
    } else {
      value(std::string_view(v));
    }
  }

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  void separate();
  std::string text_;
};

}  // namespace carrel::scope
