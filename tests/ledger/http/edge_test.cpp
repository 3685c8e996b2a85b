#include "ledger/http/edge.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "carrel/base/error.h"
#include "carrel/local/thread_local.h"
#include "carrel/pool/worker_pool.h"
#include "ledger/http/endpoints.h"
#include "ledger/http/keys_in_progress.h"
#include "ledger/http/raw_client.h"
#include "ledger/http/server.h"
#include "ledger/http/temporary_folder.h"
#include "ledger/posting/ledger.h"
#include "ledger/store/store.h"

namespace carrel::ledger::http {
namespace {

using namespace std::chrono_literals;

Endpoint endpoint(std::string route, std::function<Response(const Call&)> handle,
                  Needs needs = Needs::nothing) {
  return {.method = "GET", .route = std::move(route), .needs = needs, .handle = std::move(handle)};
}

// The edge with its workers and socket, and endpoints that each test brings along.
class EdgeTest : public testing::Test {
 protected:
  void serve(std::vector<Endpoint> endpoints, std::size_t threads = 4,
             std::size_t queue_max = 1024) {
    for (Endpoint& each : voucher_endpoints(ledger_, keys_)) endpoints.push_back(std::move(each));
    for (Endpoint& each : operations_endpoints({.threads = [] { return "{}"; },
                                                .metrics = [] { return ""; },
                                                .probe_storage = [] {}}))
      endpoints.push_back(std::move(each));
    router_.emplace(std::move(endpoints));
    workers_.emplace(
        WorkerPoolOptions{.name = "requests",
                          .threads = threads,
                          .queue_max = queue_max,
                          .boundary = {.on_leftover = [](std::span<const Leftover>) {}}});
    edge_.emplace(EdgeOptions{.request_wait_max = 10s, .clock = edge_clock_}, *router_, filter_,
                  *workers_);
    server_.emplace(ServerOptions{});
    server_->start([this](Request request, Reply reply) {
      edge_->handle(std::move(request), std::move(reply));
    });
  }
  void TearDown() override {
    if (!server_) return;
    const Clock::Steady deadline = SystemClock::get().steady_now() + 60s;
    EXPECT_TRUE(server_->drain(deadline));
    EXPECT_TRUE(workers_->drain(deadline));
    EXPECT_EQ(workers_->boundary().leftovers(), leftovers_expected_);
  }

  [[nodiscard]] RawClient connect() const { return RawClient(server_->port()); }
  RawAnswer send(const std::string& bytes) const {
    RawClient client = connect();
    client.send(bytes);
    return client.read_answer();
  }
  RawAnswer get(std::string_view target, const HeaderLines& headers = {}) const {
    return send(request_text("GET", target, headers));
  }

  std::uint64_t leftovers_expected_ = 0;
  const Clock* edge_clock_ = &SystemClock::get();
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_ =
      open_store({.folder = folder_.path(), .synchronous = SqliteSync::off});
  Ledger ledger_{*store_};
  KeysInProgress keys_;
  EntryFilter filter_{store_->book()};
  std::optional<Router> router_;
  std::optional<WorkerPool> workers_;
  std::optional<Edge> edge_;
  std::optional<Server> server_;
};

TEST_F(EdgeTest, OpensAScopeNamedAfterTheRoute) {
  serve({endpoint("/things/{id}", [](const Call& call) {
    return Response{.body = std::string(Scope::current()->name()) + " " + call.values.front()};
  })});
  EXPECT_EQ(get("/things/7").body, "GET /things/{id} 7\n");
}

TEST_F(EdgeTest, BindsTheBookForTheRequestOnly) {
  serve({endpoint(
             "/book",
             [&](const Call&) {
               return Response{.body = std::string(to_string(store_->book().current()))};
             },
             Needs::book),
         endpoint("/unbound",
                  [&](const Call&) {
                    return Response{.body = store_->book().find_name() ? "a book" : "no book"};
                  })},
        /*threads=*/1);
  EXPECT_EQ(get("/book", {{"X-Carrel-Book", "merchant"}}).body, "merchant\n");
  EXPECT_EQ(get("/unbound").body, "no book\n");  // on the very same thread
  EXPECT_EQ(get("/book", {{"X-Carrel-Book", "consumer"}}).body, "consumer\n");
}

TEST_F(EdgeTest, FailsBelowTheEdgeWithoutABook) {
  serve({endpoint("/careless", [&](const Call&) {
    static_cast<void>(ledger_.find_account({.ref = *AccountRef::parse("house/1002")}));
    return Response{};
  })});
  const RawAnswer answer = get("/careless");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.member("code"), "internal_error");
}

TEST_F(EdgeTest, RefusesRequestsOpenToTwoReadings) {
  serve({endpoint("/book", [](const Call&) { return Response{}; }, Needs::book)});
  const struct {
    const char* what;
    std::string bytes;
    int status;
    const char* code;
  } table[] = {
      {"no such path", request_text("GET", "/nothing"), 404, "no_such_endpoint"},
      {"other method", request_text("PUT", "/book"), 405, "method_not_allowed"},
      {"no path", request_text("GET", "*"), 400, "malformed_target"},
      {"broken escape", request_text("GET", "/book?a=%zz"), 400, "malformed_target"},
      {"unknown parameter", request_text("GET", "/book?a=b"), 400, "unknown_parameter"},
      {"no book", request_text("GET", "/book"), 400, "book_missing"},
      {"other book", request_text("GET", "/book", {{"X-Carrel-Book", "both"}}), 400,
       "book_unknown"},
      {"two books",
       request_text("GET", "/book", {{"X-Carrel-Book", "consumer"}, {"x-carrel-book", "merchant"}}),
       400, "repeated_header"},
      {"no host", "GET /book HTTP/1.1\r\n\r\n", 400, "host_missing"},
      {"other host", "GET /book HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "host_not_served"},
      {"host that looks local", "GET /book HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 421,
       "host_not_served"},
      {"form",
       request_text(
           "POST", "/v1/vouchers",
           {{"X-Carrel-Book", "consumer"}, {"Content-Type", "application/x-www-form-urlencoded"}},
           "a=b"),
       415, "unsupported_media_type"},
      {"no type", request_text("POST", "/v1/vouchers", {{"X-Carrel-Book", "consumer"}}, "{}"), 415,
       "unsupported_media_type"},
  };
  for (const auto& bad : table) {
    SCOPED_TRACE(bad.what);
    const RawAnswer answer = send(bad.bytes);
    EXPECT_EQ(answer.status, bad.status);
    EXPECT_EQ(answer.member("code"), bad.code);
    EXPECT_EQ(answer.member("status"), std::to_string(bad.status));
    EXPECT_EQ(answer.member("type"), std::string("urn:carrel:problem:") + bad.code);
    EXPECT_NE(answer.member("title"), "");
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(answer.member("request_id"), answer.header("X-Request-Id"));
  }
  EXPECT_EQ(send(request_text("PUT", "/book")).header("Allow"), "GET, HEAD");
}

TEST_F(EdgeTest, AnswersToTheNamesOfThisMachine) {
  serve({});
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:9", "[::1]:80"})
    EXPECT_EQ(send(std::string("GET /healthz HTTP/1.1\r\nHost: ") + host + "\r\n\r\n").status, 200)
        << host;
}

TEST_F(EdgeTest, ContinuesTheClientsTraceOrStartsOne) {
  serve({endpoint("/trace", [](const Call&) {
    return Response{.body = Scope::current()->trace().to_string()};
  })});
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const RawAnswer continued = get("/trace", {{"traceparent", parent}});
  EXPECT_EQ(continued.body, continued.header("traceparent") + "\n");
  EXPECT_EQ(continued.body.substr(0, 35), parent.substr(0, 35));
  EXPECT_NE(continued.body, parent);
  const RawAnswer fresh = get("/trace", {{"traceparent", "nonsense"}});
  EXPECT_TRUE(TraceContext::parse(fresh.header("traceparent")));
}

TEST_F(EdgeTest, PassesTheTraceStateOnBesideItsTraceParent) {
  serve({endpoint("/state", [](const Call&) {
    return Response{.body = std::string(Scope::current()->trace().state.text())};
  })});
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto state_of = [&](const RawAnswer& answer) {
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, answer.header("tracestate") + "\n") << "the handler's is the answer's";
    return answer.header("tracestate");
  };
  EXPECT_EQ(state_of(get("/state", {{"traceparent", parent}, {"tracestate", "a=1, b=2"}})),
            "a=1,b=2");
  EXPECT_EQ(state_of(get("/state",
                         {{"traceparent", parent}, {"tracestate", "a=1"}, {"TraceState", "b=2"}})),
            "a=1,b=2")
      << "one list in two headers";
  EXPECT_EQ(state_of(get("/state", {{"traceparent", parent}, {"tracestate", "a=1,B=2"}})), "");
  EXPECT_EQ(state_of(get("/state", {{"traceparent", "nonsense"}, {"tracestate", "a=1"}})), "");
  EXPECT_EQ(state_of(get("/state", {{"tracestate", "a=1"}})), "");
}

TEST_F(EdgeTest, StartsATraceWhereTheClientGivesTwo) {
  serve({});
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const RawAnswer answer =
      get("/healthz", {{"traceparent", parent}, {"traceparent", parent}, {"tracestate", "a=1"}});
  EXPECT_NE(answer.header("traceparent").substr(0, 35), parent.substr(0, 35));
  EXPECT_EQ(answer.header("tracestate"), "");
}

TEST_F(EdgeTest, KeepsTheClientsRequestIdIfItIsOne) {
  serve({});
  EXPECT_EQ(get("/healthz", {{"X-Request-Id", "order-17.a"}}).header("X-Request-Id"), "order-17.a");
  for (const char* bad : {"", "a b", "<script>"})
    EXPECT_NE(get("/healthz", {{"X-Request-Id", bad}}).header("X-Request-Id"), bad);
  const std::string id = get("/nothing", {{"X-Request-Id", "mine"}}).member("request_id");
  EXPECT_EQ(id, "mine");
}

TEST_F(EdgeTest, AnswersWhateverAHandlerThrows) {
  serve(
      {endpoint("/standard", [](const Call&) -> Response { throw std::logic_error("secret"); }),
       endpoint("/odd", [](const Call&) -> Response { throw 42; }),
       endpoint("/failure", [](const Call&) -> Response { throw Error("sql.corrupt", "secret"); }),
       endpoint("/busy",
                [](const Call&) -> Response {
                  throw Error("pool.timeout", "secret", {.retryable = true});
                }),
       endpoint("/doubt", [](const Call&) -> Response {
         throw Error("sql.io", "secret", {.in_doubt = true});
       })});
  const struct {
    const char* target;
    int status;
    const char* code;
    const char* retry_after;
  } table[] = {{"/standard", 500, "internal_error", ""},
               {"/odd", 500, "internal_error", ""},
               {"/failure", 500, "internal_error", ""},
               {"/busy", 503, "pool.timeout", "1"},
               {"/doubt", 503, "outcome_unknown", "1"}};
  for (const auto& thrown : table) {
    SCOPED_TRACE(thrown.target);
    const RawAnswer answer = get(thrown.target);
    EXPECT_EQ(answer.status, thrown.status);
    EXPECT_EQ(answer.member("code"), thrown.code);
    EXPECT_EQ(answer.header("Retry-After"), thrown.retry_after);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
    EXPECT_EQ(answer.member("request_id"), answer.header("X-Request-Id"));
  }
}

TEST_F(EdgeTest, SaysThatAKeyIsBeingWorkedOn) {
  serve({});
  const auto claim = keys_.claim(Book::consumer, "k");
  const RawAnswer answer = send(request_text("POST", "/v1/vouchers",
                                             {{"X-Carrel-Book", "consumer"},
                                              {"Idempotency-Key", "k"},
                                              {"Content-Type", "application/json"}},
                                             R"({"kind":"pay","currency":"CNY","legs":[]})"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.member("code"), "key_in_progress");
  EXPECT_EQ(answer.header("Retry-After"), "1");
}

// One worker, held by a request until the test lets it go.
class BusyEdge : public EdgeTest {
 protected:
  void serve_with_one_busy_worker(std::size_t queue_max) {
    edge_clock_ = &clock_;
    serve({endpoint("/hold",
                    [this](const Call&) {
                      held_.count_down();
                      release_.wait();
                      return Response{};
                    }),
           endpoint("/quick", [](const Call&) { return Response{}; })},
          /*threads=*/1, queue_max);
    holder_.emplace(connect());
    holder_->send(request_text("GET", "/hold"));
    held_.wait();
  }
  void wait_until_queued(std::size_t requests) const {
    while (workers_->stats().queued < requests) std::this_thread::yield();
  }

  ManualClock clock_;
  std::latch held_{1};
  std::latch release_{1};
  std::optional<RawClient> holder_;
};

TEST_F(BusyEdge, RefusesWhatFindsNoPlaceInTheQueue) {
  serve_with_one_busy_worker(/*queue_max=*/1);
  RawClient queued = connect();
  queued.send(request_text("GET", "/quick"));
  wait_until_queued(1);
  const RawAnswer refused = get("/quick");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.member("code"), "overloaded");
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(get("/healthz").status, 200);  // needs no worker
  release_.count_down();
  EXPECT_EQ(queued.read_answer().status, 200);
  EXPECT_EQ(holder_->read_answer().status, 200);
}

TEST_F(BusyEdge, DoesNotBeginARequestThatWaitedTooLong) {
  serve_with_one_busy_worker(/*queue_max=*/10);
  RawClient late = connect();
  late.send(request_text("GET", "/quick"));
  wait_until_queued(1);
  clock_.advance(11s);
  release_.count_down();
  EXPECT_EQ(late.read_answer().member("code"), "request_expired");
  EXPECT_EQ(holder_->read_answer().status, 200);  // it had begun in time
}

TEST_F(EdgeTest, CountsWhatAHandlerLeavesOnItsThread) {
  ThreadLocalOptions<int> options;
  options.name = "careless";
  ThreadLocal<int> careless(options);
  serve({endpoint("/leak",
                  [&](const Call&) {
                    careless.set(7);
                    return Response{};
                  })},
        /*threads=*/1);
  EXPECT_EQ(get("/leak").status, 200);
  EXPECT_EQ(get("/leak").status, 200);
  leftovers_expected_ = 2;
  TearDown();
  server_.reset();
  workers_.reset();
}

// Handlers that bind, hold what must be destroyed, and throw at any point, from many clients: what
// one request had must never be seen by the next, and nothing may stay behind.
TEST_F(EdgeTest, LeavesNothingBehindWhereverHandlersThrow) {
  RequestLocal<std::shared_ptr<int>> held("held");
  const auto counted = std::make_shared<int>(0);
  std::atomic<int> seen_from_others{0};
  serve({endpoint(
      "/chaos/{n}",
      [&](const Call& call) -> Response {
        if (const auto* found = held.find(); found != nullptr && *found) ++seen_from_others;
        const int n = std::stoi(call.values.front());
        if (n % 5 == 0) throw Error("sql.busy", "early", {.retryable = true});
        const auto bound = held.bind(counted);
        if (n % 5 == 1) throw std::runtime_error("while bound");
        held.set(counted);
        if (n % 5 == 2) throw 42;
        static_cast<void>(ledger_.find_account({.ref = *AccountRef::parse("house/1002")}));
        if (n % 5 == 3) throw Error("sql.io", "late", {.in_doubt = true});
        return {.body = std::string(to_string(store_->book().current()))};
      },
      Needs::book)});
  std::mutex mutex;
  std::set<std::string> wrong;
  std::vector<std::thread> clients;
  for (unsigned c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      std::mt19937 random(c);
      RawClient client = connect();
      for (int i = 0; i < 60; ++i) {
        const unsigned n = static_cast<unsigned>(random() % 1000);
        const std::string book = random() % 2 == 0 ? "consumer" : "merchant";
        client.send(request_text("GET", "/chaos/" + std::to_string(n), {{"X-Carrel-Book", book}}));
        const RawAnswer answer = client.read_answer();
        static constexpr int kExpected[] = {503, 500, 500, 503, 200};
        const bool right = answer.status == kExpected[n % 5] &&
                           answer.header("X-Carrel-Book") == book &&
                           (answer.status != 200 || answer.body == book + "\n");
        const std::lock_guard lock(mutex);
        if (!right) wrong.insert(std::to_string(n % 5) + ": " + answer.head + answer.body);
      }
    });
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(wrong.empty()) << wrong.size() << " wrong answers, as " << *wrong.begin();
  EXPECT_EQ(seen_from_others, 0);
  EXPECT_EQ(counted.use_count(), 1);  // every answered request had let go of it
}

}  // namespace
}  // namespace carrel::ledger::http
