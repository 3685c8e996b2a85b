#include "client/operation.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <optional>
#include <utility>

namespace carrel::client {
namespace {

namespace json = boost::json;

constexpr std::string_view kHouse = "house/1002";  // where money from outside enters a book
constexpr std::size_t kKeyLengthMax = 128;
constexpr std::size_t kTextLengthMax = 1024;

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Keys travel in an HTTP header: visible ASCII only, or a line break could forge a header.
bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<std::string> complain_about_key(std::string_view key) {
  if (key.empty() || key.size() > kKeyLengthMax || !is_visible_ascii(key))
    return fmt::format("a key is 1 to {} visible ASCII characters", kKeyLengthMax);
  return std::nullopt;
}

std::optional<std::string> complain_about_account(std::string_view field, std::string_view ref) {
  const auto slash = ref.find('/');
  const bool named = slash != std::string_view::npos && slash > 0 && slash + 1 < ref.size() &&
                     ref.find('/', slash + 1) == std::string_view::npos;
  if (ref.size() <= kTextLengthMax && (named || (field != "account" && is_digits(ref))))
    return std::nullopt;
  return fmt::format("\"{}\" must be \"party/subject\"{}", field,
                     field == "account" ? "" : " or an account id");
}

// Collects the fields of one line; the first complaint stands.
class FieldReader {
 public:
  explicit FieldReader(Operation& operation) : operation_(operation) {}

  void read(std::string_view name, const json::value& value) {
    if (name == "after") return read_after(value);
    std::string* text = text_field(name);
    const bool is_enum = name == "op" || name == "book";
    if (text == nullptr && !is_enum) return complain(fmt::format("unknown field \"{}\"", name));
    if (!value.is_string()) return complain(fmt::format("\"{}\" must be a string", name));
    const std::string_view content(value.get_string().data(), value.get_string().size());
    if (content.size() > kTextLengthMax) return complain(fmt::format("\"{}\" is too long", name));
    if (is_enum)
      read_enum(name, content);
    else
      *text = content;
  }

  void complain(std::string reason) {
    if (complaint_.empty()) complaint_ = std::move(reason);
  }

  // What is wrong with the line as a whole, now that every field was seen.
  std::string verdict() {
    if (!has_op_) complain("\"op\" is missing");
    if (!has_book_) complain("\"book\" is missing");
    if (!complaint_.empty()) return complaint_;
    if (operation_.kind == Kind::credit && operation_.from.empty()) operation_.from = kHouse;
    check_presence();
    check_form();
    return complaint_;
  }

 private:
  std::string* text_field(std::string_view name) {
    const std::pair<std::string_view, std::string*> fields[] = {
        {"account", &operation_.account},
        {"currency", &operation_.currency},
        {"key", &operation_.key},
        {"from", &operation_.from},
        {"to", &operation_.to},
        {"amount", &operation_.amount},
        {"original", &operation_.original},
        {"memo", &operation_.memo},
        {"event_time", &operation_.event_time},
    };
    for (const auto& [field, place] : fields)
      if (field == name) return place;
    return nullptr;
  }

  void read_enum(std::string_view name, std::string_view content) {
    if (name == "book") {
      const auto found =
          std::ranges::find(kBooks, content, [](Book book) { return name_of(book); });
      has_book_ = found != std::end(kBooks);
      if (!has_book_) return complain(fmt::format("unknown book \"{}\"", content));
      operation_.book = *found;
    } else {
      const auto found =
          std::ranges::find(kKinds, content, [](Kind kind) { return name_of(kind); });
      has_op_ = found != std::end(kKinds);
      if (!has_op_) return complain(fmt::format("unknown op \"{}\"", content));
      operation_.kind = *found;
    }
  }

  void read_after(const json::value& value) {
    if (!value.is_array()) return complain("\"after\" must be a list of keys");
    for (const json::value& key : value.get_array()) {
      if (!key.is_string()) return complain("\"after\" must be a list of keys");
      operation_.after.emplace_back(key.get_string().data(), key.get_string().size());
    }
  }

  void check_presence() {
    const Kind kind = operation_.kind;
    const bool opens = kind == Kind::open;
    const auto require = [&](bool wanted, std::string_view name, const std::string& content) {
      if (wanted && content.empty())
        complain(fmt::format("\"{}\" is missing from {}", name, name_of(kind)));
      if (!wanted && !content.empty())
        complain(fmt::format("\"{}\" does not belong in {}", name, name_of(kind)));
    };
    require(opens, "account", operation_.account);
    require(!opens, "key", operation_.key);
    require(!opens, "from", operation_.from);
    require(!opens, "to", operation_.to);
    require(!opens, "amount", operation_.amount);
    require(kind == Kind::refund, "original", operation_.original);
    if (operation_.currency.empty()) complain("\"currency\" is missing");
    if (opens && !(operation_.memo.empty() && operation_.event_time.empty()))
      complain("\"memo\" and \"event_time\" do not belong in open");
  }

  void check_form() {
    if (!complaint_.empty()) return;
    const auto keep = [this](std::optional<std::string> reason) {
      if (reason) complain(*std::move(reason));
    };
    for (const std::string& key : operation_.after) keep(complain_about_key(key));
    if (operation_.kind == Kind::open)
      return keep(complain_about_account("account", operation_.account));
    keep(complain_about_key(operation_.key));
    keep(complain_about_account("from", operation_.from));
    keep(complain_about_account("to", operation_.to));
    if (!is_digits(operation_.amount)) complain("\"amount\" must be digits, in minor units");
  }

  Operation& operation_;
  std::string complaint_;
  bool has_op_ = false;
  bool has_book_ = false;
};

std::string quoted(std::string_view text) {
  return json::serialize(json::string(text));
}

}  // namespace

std::string_view name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::open:
      return "open";
    case Kind::credit:
      return "credit";
    case Kind::pay:
      return "pay";
    case Kind::refund:
      return "refund";
  }
  return "?";
}

std::string_view name_of(Book book) noexcept {
  return book == Book::consumer ? "consumer" : "merchant";
}

std::variant<Operation, Malformed> parse_operation(std::string_view text, std::uint64_t line) {
  // A line is small: the document nearly always fits the buffer, and nothing is allocated for it.
  unsigned char buffer[4096];
  json::monotonic_resource memory(buffer);
  json::error_code failure;
  const json::value document = json::parse(text, failure, &memory);
  if (failure) return Malformed{line, "not JSON: " + failure.message()};
  if (!document.is_object()) return Malformed{line, "not a JSON object"};

  Operation operation;
  operation.line = line;
  FieldReader reader(operation);
  for (const auto& [name, value] : document.get_object())
    reader.read(std::string_view(name.data(), name.size()), value);
  if (std::string reason = reader.verdict(); !reason.empty())
    return Malformed{line, std::move(reason)};
  return operation;
}

std::string_view target_of(const Operation& operation) noexcept {
  return operation.kind == Kind::open ? "/v1/accounts" : "/v1/vouchers";
}

std::string body_of(const Operation& operation) {
  if (operation.kind == Kind::open) {
    const auto slash = operation.account.find('/');
    return fmt::format(R"({{"party":{},"subject":{},"currency":{}}})",
                       quoted(operation.account.substr(0, slash)),
                       quoted(operation.account.substr(slash + 1)), quoted(operation.currency));
  }
  // Customers' and merchants' balances are what the house owes: paying debits, receiving credits.
  std::string body =
      fmt::format(R"({{"kind":"{}","currency":{},"legs":[)"
                  R"({{"account":{},"side":"debit","amount":"{}"}},)"
                  R"({{"account":{},"side":"credit","amount":"{}"}}])",
                  name_of(operation.kind), quoted(operation.currency), quoted(operation.from),
                  operation.amount, quoted(operation.to), operation.amount);
  const auto append = [&body](std::string_view name, const std::string& content) {
    if (!content.empty()) body += fmt::format(R"(,"{}":{})", name, quoted(content));
  };
  append("original", operation.original);
  append("memo", operation.memo);
  append("event_time", operation.event_time);
  body += '}';
  return body;
}

}  // namespace carrel::client
