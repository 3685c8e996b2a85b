// ScriptedServer: an HTTP server on a free loopback port that answers as a test tells it to.
//
// Threads: runs on one of its own; the script is called there, one request at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace carrel::client {

struct SeenRequest {
  std::string target;
  std::string book;
  std::string key;
  std::string body;
};

struct ScriptedAnswer {
  enum class Manner { send, hang_up, stay_silent };

  int status = 201;
  std::string body = "{}";
  std::vector<std::pair<std::string, std::string>> headers = {};
  Manner manner = Manner::send;
};

class ScriptedServer {
 public:
  using Script = std::function<ScriptedAnswer(const SeenRequest&)>;

  explicit ScriptedServer(Script script);
  ~ScriptedServer();

  [[nodiscard]] std::string url() const;

  // Stops serving and returns what was seen, in order of arrival.
  [[nodiscard]] std::vector<SeenRequest> stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carrel::client
