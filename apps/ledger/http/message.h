// Request, Response, Reply: one HTTP exchange in plain types, free of any network library.
//
// Use them in handlers and their tests; the server alone knows sockets. A Response's headers are
// those that the handler adds: the server itself writes Content-Length, Date and Connection.
//
//   Response created = {.status = 201, .body = R"({"id":"17"})"};
//   created.headers.add("Location", "/v1/vouchers/17");
//   std::move(reply)(std::move(created));          // from any thread, exactly once
//
// Threads: values; one thread at a time. A Reply may be called on any thread.
// Lifetime: everything owns its text. A Reply that is dropped uncalled answers 503, so that a
// request whose task was thrown away still gets an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::ledger::http {

// Header fields in order of arrival. All text lives in one string: a request brings about ten
// fields, and twenty small allocations each would cost more than finding one.
class Headers {
 public:
  void add(std::string_view name, std::string_view value);

  // The first value of that name, in any letter case; nothing when absent.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  // All values of that name, in order, with commas between: what a list sent in pieces means.
  [[nodiscard]] std::string joined(std::string_view name) const;

  // "Name: value\r\n" for each field, ready for the wire.
  void append_lines_to(std::string& wire) const;

 private:
  struct Field {
    std::uint32_t begin, name_size, value_size;
  };
  [[nodiscard]] std::string_view name_of(const Field& field) const noexcept;
  [[nodiscard]] std::string_view value_of(const Field& field) const noexcept;

  std::string text_;
  std::vector<Field> fields_;
};

struct Request {
  std::string id;      // the server's own name for this request, in decimal
  std::string method;  // upper case as sent, "GET"
  std::string target;  // as sent, "/v1/accounts/alice/2001?limit=10"
  Headers headers;
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  Headers headers = {};
};

// The standard phrase of a status code, "Not Found".
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;

// True when both are the same but for the case of ASCII letters.
[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept;

class Reply {
 public:
  explicit Reply(std::function<void(Response)> deliver) : deliver_(std::move(deliver)) {}
  Reply(Reply&& other) noexcept : deliver_(std::exchange(other.deliver_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  void operator()(Response response) &&;

 private:
  std::function<void(Response)> deliver_;
};

// What a server does with each request. It must not block: it answers at once, or hands request
// and reply to a worker.
using Handler = std::function<void(Request, Reply)>;

}  // namespace carrel::ledger::http
