#include "ledger/http/server.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "carrel/base/error.h"
#include "ledger/http/raw_client.h"

namespace carrel::ledger::http {
namespace {

using namespace std::chrono_literals;

Clock::Steady in(std::chrono::milliseconds wait) {
  return SystemClock::get().steady_now() + wait;
}

// Answers with what it was asked: method, target and body.
void echo(Request request, Reply reply) {
  std::move(reply)({.content_type = "text/plain",
                    .body = request.method + " " + request.target + " " + request.body});
}

// Keeps requests until the test answers them.
class Withholding {
 public:
  void operator()(Request request, Reply reply) {
    const std::lock_guard lock(mutex_);
    request_.emplace(std::move(request));
    reply_.emplace(std::move(reply));
    arrived_.notify_all();
  }
  void wait_for_request() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return reply_.has_value(); });
  }
  void answer(std::string body) {
    std::unique_lock lock(mutex_);
    Reply reply = std::move(*reply_);
    reply_.reset();
    lock.unlock();
    std::move(reply)({.body = std::move(body)});
  }
  void drop() {
    const std::lock_guard lock(mutex_);
    reply_.reset();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::optional<Request> request_;
  std::optional<Reply> reply_;
};

class HttpServer : public testing::Test {
 protected:
  void serve(ServerLimits limits, Handler handler = echo, std::size_t io_threads = 1) {
    server_.emplace(ServerOptions{.io_threads = io_threads, .limits = limits});
    server_->start(std::move(handler));
  }
  [[nodiscard]] RawClient connect() const { return RawClient(server_->port()); }
  RawAnswer answer_to(std::string_view bytes) {
    RawClient client = connect();
    client.send(bytes);
    return client.read_answer();
  }

  std::optional<Server> server_;
};

TEST_F(HttpServer, AnswersWithWhatTheHandlerSays) {
  serve({});
  const RawAnswer answer = answer_to(request_text("POST", "/a?b=c", {}, "body"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "POST /a?b=c body");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain");
  EXPECT_NE(answer.header("Date"), "");
}

TEST_F(HttpServer, KeepsAConnectionForManyRequests) {
  serve({});
  RawClient client = connect();
  for (int i = 0; i < 100; ++i) {
    client.send(request_text("GET", "/" + std::to_string(i)));
    ASSERT_EQ(client.read_answer().body, "GET /" + std::to_string(i) + " ");
  }
  EXPECT_EQ(server_->stats().accepted, 1u);
  EXPECT_EQ(server_->stats().requests, 100u);
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
  serve({});
  RawClient client = connect();
  std::string bytes;
  for (int i = 0; i < 50; ++i)
    bytes += request_text("POST", "/" + std::to_string(i), {}, "body" + std::to_string(i));
  client.send(bytes);
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(client.read_answer().body,
              "POST /" + std::to_string(i) + " body" + std::to_string(i));
}

TEST_F(HttpServer, ReadsARequestThatArrivesByteByByte) {
  serve({});
  RawClient client = connect();
  for (const char byte : request_text("POST", "/slow", {}, "abc")) client.send({&byte, 1});
  EXPECT_EQ(client.read_answer().body, "POST /slow abc");
}

TEST_F(HttpServer, ReadsAChunkedBody) {
  serve({});
  const RawAnswer answer = answer_to(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(answer.body, "POST / abcde");
}

TEST_F(HttpServer, ClosesWhenTheClientAsksForIt) {
  serve({});
  RawClient client = connect();
  client.send(request_text("GET", "/", {{"Connection", "close"}}));
  EXPECT_EQ(client.read_answer().header("Connection"), "close");
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(HttpServer, KeepsOldClientsOnlyWhenTheyAskForIt) {
  serve({});
  RawClient client = connect();
  client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.read_answer().header("Connection"), "keep-alive");
  client.send("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "GET /2 ");
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(HttpServer, AnswersHeadWithoutTheBody) {
  serve({});
  RawClient client = connect();
  client.send(request_text("HEAD", "/"));
  EXPECT_EQ(client.read_answer(/*without_body=*/true).header("Content-Length"), "7");
  client.send(request_text("GET", "/next"));
  EXPECT_EQ(client.read_answer().body, "GET /next ");
}

TEST_F(HttpServer, SendsConsentToAClientThatWaitsForIt) {
  serve({});
  RawClient client = connect();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("ok");
  EXPECT_EQ(client.read_answer().body, "POST / ok");
}

TEST_F(HttpServer, TakesABodyOfExactlyTheLimit) {
  serve({.body_bytes_max = 100'000});
  const std::string body(100'000, 'x');
  EXPECT_EQ(answer_to(request_text("POST", "/", {}, body)).body, "POST / " + body);
}

struct BadBytes {
  const char* what;
  std::string bytes;
  int status;
  const char* code;
};

TEST_F(HttpServer, RefusesWhatIsNoValidRequestAndCloses) {
  serve({.header_bytes_max = 1024, .body_bytes_max = 10});
  const std::string host = "Host: x\r\n";
  const BadBytes table[] = {
      {"no HTTP", "hello\r\n\r\n", 400, "malformed_http"},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400,
       "malformed_http"},
      {"header without colon", "GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "malformed_http"},
      {"control character in target", "GET /a\x01 HTTP/1.1\r\n" + host + "\r\n", 400,
       "malformed_http"},
      {"bad length", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400,
       "malformed_http"},
      {"two lengths",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400,
       "malformed_http"},
      {"length and chunked",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
       400, "malformed_http"},
      {"chunked and length",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
       400, "malformed_http"},
      {"broken chunk", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
       400, "malformed_http"},
      {"unknown framing", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501,
       "transfer_encoding_not_supported"},
      {"framing behind another",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
       "transfer_encoding_not_supported"},
      {"version 2.0", "GET / HTTP/2.0\r\n" + host + "\r\n", 505, "http_version_not_supported"},
      {"long header", "GET / HTTP/1.1\r\n" + host + "X: " + std::string(2000, 'x') + "\r\n\r\n",
       431, "headers_too_large"},
      {"endless target", "GET /" + std::string(5000, 'x'), 431, "headers_too_large"},
      {"announced body", "POST / HTTP/1.1\r\n" + host + "Content-Length: 11\r\n\r\n", 413,
       "body_too_large"},
      {"body in chunks",
       "POST / HTTP/1.1\r\n" + host +
           "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n",
       413, "body_too_large"},
  };
  for (const BadBytes& bad : table) {
    SCOPED_TRACE(bad.what);
    RawClient client = connect();
    client.send(bad.bytes);
    const RawAnswer answer = client.read_answer();
    EXPECT_EQ(answer.status, bad.status);
    EXPECT_EQ(answer.member("code"), bad.code);
    EXPECT_EQ(answer.member("request_id"), answer.header("X-Request-Id"));
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_EQ(client.read_to_end(), "");
  }
  EXPECT_EQ(server_->stats().requests, 0u);
}

TEST_F(HttpServer, AClientThatSendsTooMuchStillSeesTheAnswer) {
  serve({.body_bytes_max = 10});
  RawClient client = connect();
  client.send(request_text("POST", "/", {}, std::string(300'000, 'x')));
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST_F(HttpServer, ForgetsAClientThatLeavesInTheMiddle) {
  serve({});
  for (const char* bytes : {"", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"}) {
    RawClient client = connect();
    client.send(bytes);
    client.finish_sending();
    EXPECT_EQ(client.read_to_end(), "");
  }
  EXPECT_EQ(server_->stats().requests, 0u);
}

TEST_F(HttpServer, ClosesAnIdleConnection) {
  serve({.idle_wait_max = 20ms});
  RawClient client = connect();
  client.send(request_text("GET", "/"));
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(server_->stats().timed_out, 1u);
}

TEST_F(HttpServer, GivesUpOnHeadersThatDoNotArrive) {
  serve({.header_wait_max = 20ms});
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\nHost:").member("code"), "request_timeout");
}

TEST_F(HttpServer, GivesUpOnABodyThatDoesNotArrive) {
  serve({.body_wait_max = 20ms});
  const RawAnswer answer = answer_to("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.member("code"), "request_timeout");
}

TEST_F(HttpServer, GivesUpOnAClientThatDoesNotReadItsAnswer) {
  serve({.write_wait_max = 20ms},
        [](Request, Reply reply) { std::move(reply)({.body = std::string(64 << 20, 'x')}); });
  RawClient client = connect();
  client.send(request_text("GET", "/"));
  while (server_->stats().timed_out == 0) std::this_thread::yield();
  EXPECT_LT(client.read_to_end().size(), std::size_t{64} << 20);
}

TEST_F(HttpServer, TurnsAwayOneConnectionTooMany) {
  serve({.connections_max = 2});
  RawClient first = connect();
  RawClient second = connect();
  first.send(request_text("GET", "/1"));
  second.send(request_text("GET", "/2"));
  EXPECT_EQ(first.read_answer().status, 200);
  EXPECT_EQ(second.read_answer().status, 200);

  RawClient third = connect();
  const RawAnswer answer = third.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.member("code"), "too_many_connections");
  EXPECT_EQ(answer.header("Retry-After"), "1");
  first.send(request_text("GET", "/3"));
  EXPECT_EQ(first.read_answer().body, "GET /3 ");
}

TEST_F(HttpServer, AnswersFromAnotherThread) {
  Withholding handler;
  serve({}, std::ref(handler));
  RawClient client = connect();
  client.send(request_text("GET", "/"));
  handler.wait_for_request();
  handler.answer("later");
  EXPECT_EQ(client.read_answer().body, "later");
}

TEST_F(HttpServer, AnswersARequestWhoseReplyWasDropped) {
  Withholding handler;
  serve({}, std::ref(handler));
  RawClient client = connect();
  client.send(request_text("GET", "/"));
  handler.wait_for_request();
  handler.drop();
  const RawAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.member("code"), "shutting_down");
}

TEST_F(HttpServer, DrainAnswersTheRequestUnderWayAndClosesTheRest) {
  Withholding handler;
  serve({}, std::ref(handler));
  RawClient idle = connect();
  RawClient busy = connect();
  busy.send(request_text("GET", "/"));
  handler.wait_for_request();

  bool finished = false;
  std::thread drainer([&] { finished = server_->drain(in(60s)); });
  EXPECT_EQ(idle.read_to_end(), "");  // closed while the other is still being served
  handler.answer("done");
  const RawAnswer answer = busy.read_answer();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(busy.read_to_end(), "");
  busy.leave();
  drainer.join();
  EXPECT_TRUE(finished);
  EXPECT_THROW(static_cast<void>(connect()), std::system_error);
}

TEST_F(HttpServer, DrainCutsOffAtItsDeadline) {
  Withholding handler;
  serve({}, std::ref(handler));
  RawClient client = connect();
  client.send(request_text("GET", "/"));
  handler.wait_for_request();
  EXPECT_FALSE(server_->drain(in(10ms)));
  EXPECT_EQ(client.read_to_end(), "");
  handler.answer("too late");
}

TEST_F(HttpServer, StopsWithoutEverHavingBeenStarted) {
  const Server server(ServerOptions{});
  EXPECT_NE(server.port(), 0);
}

TEST(HttpListener, SaysWhyItCannotListen) {
  const Server first(ServerOptions{});
  const auto code_of = [](const ServerOptions& options) -> std::string {
    try {
      const Server server(options);
    } catch (const Error& error) {
      return std::string(error.code());
    }
    return "listens";
  };
  EXPECT_EQ(code_of({.port = first.port()}), "http.address_in_use");
  EXPECT_EQ(code_of({.address = "carrel.example"}), "http.address_invalid");
  EXPECT_EQ(code_of({.address = "203.0.113.7"}), "http.listen_failed");
}

TEST_F(HttpServer, ServesManyClientsOnSeveralThreads) {
  std::mutex mutex;
  std::vector<std::jthread> workers;  // one for each request
  serve(
      {},
      [&](Request request, Reply reply) {
        const std::lock_guard lock(mutex);
        workers.emplace_back([request = std::move(request), reply = std::move(reply)]() mutable {
          echo(std::move(request), std::move(reply));
        });
      },
      /*io_threads=*/2);
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      RawClient client = connect();
      for (int i = 0; i < 50; ++i) {
        const std::string target = "/" + std::to_string(c) + "/" + std::to_string(i);
        client.send(request_text("GET", target));
        if (client.read_answer().body == "GET " + target + " ") ++right;
      }
    });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 8 * 50);
  EXPECT_TRUE(server_->drain(in(60s)));
  server_.reset();  // before the workers that it calls
}

}  // namespace
}  // namespace carrel::ledger::http
