#include "scope/json_text.h"

#include "base/utf8.h"

namespace carrel::scope {

void JsonText::separate() {
  if (text_.empty()) return;
  const char last = text_.back();
  if (last != '{' && last != '[' && last != ':') text_ += ',';
}

void JsonText::begin(char bracket) {
  separate();
  text_ += bracket;
}

void JsonText::end(char bracket) {
  text_ += bracket;
}

void JsonText::key(std::string_view name) {
  value(name);
  text_ += ':';
}

void JsonText::value(std::uint64_t number) {
  separate();
  text_ += std::to_string(number);
}

void JsonText::value(bool truth) {
  separate();
  text_ += truth ? "true" : "false";
}

void JsonText::value(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  separate();
  text_ += '"';
  for (const char c : base::well_formed(text)) {
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      text_ += "\\u00";
      text_ += kDigits[static_cast<unsigned char>(c) >> 4];
      text_ += kDigits[static_cast<unsigned char>(c) & 0xf];
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

}  // namespace carrel::scope
