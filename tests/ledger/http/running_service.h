// RunningService: the whole service in this process, on a free port and fresh books, with verbs
// that read like a client's.
//
// When a test ends it drains the service and asks the boundary whether any request left something
// on a worker.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "ledger/http/raw_client.h"
#include "ledger/http/service.h"
#include "ledger/http/temporary_folder.h"

namespace carrel::ledger::http {

class RunningService : public testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override {
    if (service_) stop();
  }

  void start(ServiceOptions options) {
    options.store.folder = folder_.path();
    options.store.synchronous = SqliteSync::off;  // these tests survive no loss of power
    service_.emplace(std::move(options));
    service_->start();
  }
  void stop() {
    EXPECT_TRUE(service_->drain(SystemClock::get().steady_now() + std::chrono::seconds(60)));
    EXPECT_EQ(service_->leftovers(), 0u);
    service_.reset();
  }

  [[nodiscard]] RawClient connect() const { return RawClient(service_->port()); }
  RawAnswer send(const std::string& bytes) const {
    RawClient client = connect();
    client.send(bytes);
    return client.read_answer();
  }

  RawAnswer get(std::string_view target, std::string_view book = "consumer") const {
    return send(request_text("GET", target, {{"X-Carrel-Book", std::string(book)}}));
  }
  RawAnswer post(std::string_view target, std::string_view body, HeaderLines headers = {},
                 std::string_view book = "consumer") const {
    headers.emplace_back("X-Carrel-Book", std::string(book));
    headers.emplace_back("Content-Type", "application/json");
    return send(request_text("POST", target, headers, body));
  }

  RawAnswer open(const std::string& party, const std::string& subject = "2001",
                 std::string_view book = "consumer") const {
    return post("/v1/accounts",
                R"({"party":")" + party + R"(","subject":")" + subject + R"(","currency":"CNY"})",
                {}, book);
  }
  RawAnswer book(const std::string& key, const std::string& kind, const std::string& from,
                 const std::string& to, const std::string& amount, const std::string& more = "",
                 std::string_view in = "consumer") const {
    return post("/v1/vouchers", voucher(kind, from, to, amount, more), {{"Idempotency-Key", key}},
                in);
  }
  RawAnswer credit(const std::string& key, const std::string& to, const std::string& amount,
                   std::string_view in = "consumer") const {
    return book(key, "credit", "house/1002", to, amount, "", in);
  }
  static std::string voucher(const std::string& kind, const std::string& from,
                             const std::string& to, const std::string& amount,
                             const std::string& more = "") {
    return R"({"kind":")" + kind + R"(","currency":"CNY")" + more + R"(,"legs":[{"account":")" +
           from + R"(","side":"debit","amount":")" + amount + R"("},{"account":")" + to +
           R"(","side":"credit","amount":")" + amount + R"("}]})";
  }
  std::string balance(const std::string& account, std::string_view in = "consumer") const {
    return get("/v1/accounts/" + account, in).member("balance");
  }

  TemporaryFolder folder_;
  std::optional<Service> service_;
};

}  // namespace carrel::ledger::http
