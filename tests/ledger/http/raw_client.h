// RawClient: a blocking HTTP client that can also misbehave: it sends exactly the bytes it is told.
//
// Threads: one at a time. Errors: throws std::runtime_error when the server does not answer within
// the safety limit, so that a test fails instead of hanging.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::ledger::http {

struct RawAnswer {
  int status = 0;
  std::string head;  // status line and headers
  std::string body;

  [[nodiscard]] std::string header(std::string_view name) const;  // empty when absent
  // The text of a top-level member of the body's JSON object; numbers and booleans as JSON text.
  [[nodiscard]] std::string member(std::string_view name) const;
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient();

  void send(std::string_view bytes);
  void leave();                                      // closes
  void finish_sending();                             // the server sees the end of the stream
  RawAnswer read_answer(bool without_body = false);  // true after a HEAD request
  std::string read_to_end();                         // until the server closes

 private:
  bool receive();  // false at the end of the stream

  int socket_;
  std::string received_;
};

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

// A well-formed request with Host and Content-Length.
[[nodiscard]] std::string request_text(std::string_view method, std::string_view target,
                                       const HeaderLines& headers = {}, std::string_view body = {});

}  // namespace carrel::ledger::http
