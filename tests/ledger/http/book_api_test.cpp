#include <boost/json.hpp>
#include <thread>

#include "ledger/http/running_service.h"

namespace carrel::ledger::http {
namespace {

namespace json = boost::json;

class BookApi : public RunningService {};

TEST_F(BookApi, ShowsTheChartOfAccounts) {
  const RawAnswer answer = get("/v1/subjects", "merchant");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.member("book"), "merchant");
  EXPECT_NE(answer.body.find(R"("code":"1002")"), std::string::npos);
}

TEST_F(BookApi, ShowsATrialBalanceThatBalances) {
  open("alice");
  credit("k", "alice/2001", "10000");
  const json::value balance = json::parse(get("/v1/trial-balance").body);
  const json::value& total = balance.at("totals").at(0);
  EXPECT_EQ(total.at("currency").as_string(), "CNY");
  EXPECT_EQ(total.at("debit").as_string(), "10000");
  EXPECT_EQ(total.at("credit").as_string(), "10000");
  EXPECT_TRUE(total.at("balanced").as_bool());
}

TEST_F(BookApi, ChecksItself) {
  open("alice");
  credit("k", "alice/2001", "10000");
  const RawAnswer answer = get("/v1/check");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.member("clean"), "true");
  EXPECT_EQ(answer.member("violation_count"), "0");
}

TEST_F(BookApi, MissesAKeyThatWasNeverBooked) {
  open("alice");
  credit("k", "alice/2001", "10000");
  EXPECT_EQ(post("/v1/check", R"({"acknowledged_keys":["k"]})").member("clean"), "true");
  const RawAnswer answer = post("/v1/check", R"({"acknowledged_keys":["k","lost"]})");
  EXPECT_EQ(answer.member("clean"), "false");
  EXPECT_NE(answer.member("violations").find("key lost"), std::string::npos);
  EXPECT_EQ(post("/v1/check", R"({"keys":[]})").status, 400);
}

TEST_F(BookApi, SaysThatItIsAliveAndReady) {
  EXPECT_EQ(send(request_text("GET", "/healthz")).member("status"), "ok");
  EXPECT_EQ(send(request_text("GET", "/readyz")).member("status"), "ready");
}

TEST_F(BookApi, ShowsWhatItsThreadsDo) {
  get("/v1/subjects");
  const RawAnswer answer = send(request_text("GET", "/debug/threads"));
  EXPECT_EQ(answer.status, 200);
  const json::value document = json::parse(answer.body);
  EXPECT_EQ(document.at("workers").at("threads").to_number<int>(), 16);
  EXPECT_EQ(document.at("boundary").at("leftovers").to_number<int>(), 0);
}

TEST_F(BookApi, ServesItsFiguresAsMetrics) {
  open("alice");
  credit("k", "alice/2001", "10000");
  const RawAnswer answer = send(request_text("GET", "/metrics"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line : {
           "# TYPE carrel_threads gauge",
           "# TYPE carrel_scope_seconds histogram",
           "carrel_scope_seconds_count{boundary=\"requests\"} 2",
           "carrel_scope_seconds_bucket{boundary=\"requests\",le=\"+Inf\"} 2",
           "carrel_tasks_total{boundary=\"requests\"} 2",
           "carrel_pool_queue_length{pool=\"requests\"} 0",
           "carrel_pool_refused_total{pool=\"requests\"} 0",
           "carrel_pool_started_total{pool=\"requests\"} 2",
           "carrel_connections{book=\"consumer\",state=\"active\"} 0",
           "carrel_connection_waiters{book=\"merchant\"} 0",
           "carrel_connection_timeouts_total{book=\"consumer\"} 0",
           "carrel_connections_closed_total{book=\"consumer\",reason=\"broken\"} 0",
           "carrel_connections_closed_total{book=\"consumer\",reason=\"drained\"} 0",
           "carrel_http_requests_total 3",
           "carrel_idempotency_keys_in_progress 0",
       })
    EXPECT_NE(answer.body.find(std::string("\n") + line + "\n"), std::string::npos)
        << line << "\nis not in\n"
        << answer.body;
  for (const char* family : {"carrel_connections_created_total{book=\"merchant\"} ",
                             "carrel_connection_borrows_total{book=\"consumer\"} ",
                             "carrel_connection_uses_measured_total{book=\"consumer\"} "}) {
    const auto at = answer.body.find(family);
    ASSERT_NE(at, std::string::npos) << family;
    EXPECT_NE(answer.body[at + std::string_view(family).size()], '0') << family;
  }
  EXPECT_NE(answer.body.find("carrel_connection_utilisation{book=\"merchant\",place=\"0\"} "),
            std::string::npos);
  EXPECT_EQ(answer.body.find("carrel_leftovers_total{"), std::string::npos) << "nothing was left";
}

TEST_F(BookApi, KeepsEverythingOverARestart) {
  open("alice");
  credit("k", "alice/2001", "10000");
  stop();
  start({});
  EXPECT_EQ(balance("alice/2001"), "10000");
  EXPECT_EQ(credit("k", "alice/2001", "10000").header("Idempotency-Replayed"), "true");
}

TEST_F(BookApi, NeedsABookOnEveryPath) {
  for (const char* target : {"/v1/subjects", "/v1/trial-balance", "/v1/check", "/v1/accounts/a/1",
                             "/v1/accounts/a/1/entries", "/v1/vouchers/1", "/v1/vouchers?key=k"}) {
    EXPECT_EQ(send(request_text("GET", target)).member("code"), "book_missing") << target;
    EXPECT_EQ(get(target, "both").member("code"), "book_unknown") << target;
    EXPECT_EQ(get(target, "Consumer").member("code"), "book_unknown") << target;
  }
}

// Both books at random from many connections, refusals and broken requests in between.
TEST_F(BookApi, NeverMixesTheBooksUnderConcurrentRequests) {
  constexpr int kClients = 8;
  constexpr int kRounds = 40;
  for (const char* book : {"consumer", "merchant"})
    for (int c = 0; c < kClients; ++c) open("p" + std::to_string(c), "2001", book);
  std::atomic<int> unexpected{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c)
    clients.emplace_back([&, c] {
      RawClient client = connect();
      const auto ask = [&](std::string_view book, const std::string& key, const std::string& body) {
        client.send(request_text("POST", "/v1/vouchers",
                                 {{"X-Carrel-Book", std::string(book)},
                                  {"Idempotency-Key", key},
                                  {"Content-Type", "application/json"}},
                                 body));
        return client.read_answer();
      };
      const std::string mine = "p" + std::to_string(c) + "/2001";
      for (int i = 0; i < kRounds; ++i) {
        const std::string_view book = (c + i) % 2 == 0 ? "consumer" : "merchant";
        const std::string key = std::to_string(c) + "-" + std::to_string(i);
        const std::string amount = book == "consumer" ? "1" : "1000";
        const RawAnswer booked = ask(book, key, voucher("credit", "house/1002", mine, amount));
        if (booked.status != 201 || booked.header("X-Carrel-Book") != book) ++unexpected;
        const RawAnswer refused =
            ask(book, key + "x", voucher("pay", mine, "p0/2001", "999999999"));
        if (refused.status != 422 && c != 0) ++unexpected;
        if (ask("neither", key, "{}").status != 400) ++unexpected;
      }
    });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(unexpected, 0);
  for (int c = 0; c < kClients; ++c) {
    const std::string account = "p" + std::to_string(c) + "/2001";
    EXPECT_EQ(balance(account, "consumer"), std::to_string(kRounds / 2));
    EXPECT_EQ(balance(account, "merchant"), std::to_string(kRounds / 2 * 1000));
  }
  for (const char* book : {"consumer", "merchant"})
    EXPECT_EQ(get("/v1/check", book).member("clean"), "true");
}

}  // namespace
}  // namespace carrel::ledger::http
