// HttpCall: one blocking connection to a Carrel server.
//
//   HttpCall http("http://127.0.0.1:8080");
//   const HttpAnswer answer = http.get("/v1/check", "consumer");
//
// Threads: one at a time. Errors: Error "check.unreachable" when there is no answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace carrel::program {

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

class HttpCall {
 public:
  explicit HttpCall(const std::string& url);
  ~HttpCall();

  HttpAnswer get(std::string_view path, std::string_view book);
  HttpAnswer post(std::string_view path, std::string_view book, std::string body);

 private:
  class Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace carrel::program
