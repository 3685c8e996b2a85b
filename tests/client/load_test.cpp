#include "client/load.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "carrel/base/error.h"
#include "client/scripted_server.h"

namespace carrel::client {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

std::string open(std::string_view account) {
  return fmt::format(R"({{"op":"open","book":"consumer","account":"{}","currency":"CNY"}})",
                     account);
}

std::string pay(std::string_view key, std::string_view from = "a/2001") {
  return fmt::format(
      R"({{"op":"pay","book":"consumer","key":"{}","from":"{}","to":"shop/2002","amount":"1","currency":"CNY"}})",
      key, from);
}

ScriptedAnswer problem(int status, std::string_view code, std::string_view rule = "") {
  return {.status = status, .body = fmt::format(R"({{"code":"{}","rule":"{}"}})", code, rule)};
}

ScriptedAnswer busy() {
  ScriptedAnswer answer = problem(503, "overloaded");
  answer.headers.emplace_back("Retry-After", "0");
  return answer;
}

constexpr ScriptedAnswer::Manner kHangUp = ScriptedAnswer::Manner::hang_up;

class LoadTest : public testing::Test {
 protected:
  LoadTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "load_test.XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LoadTest() override { std::filesystem::remove_all(folder_); }

  std::string file(std::initializer_list<std::string> lines) {
    std::ofstream out(folder_ / "ops.jsonl");
    for (const std::string& line : lines) out << line << '\n';
    return (folder_ / "ops.jsonl").string();
  }

  // Replays and keeps status and report.
  void load(LoadOptions options) {
    options.form = ReportForm::json;
    std::ostringstream report;
    std::ostringstream progress;
    status_ = run_load(options, {.report = report, .progress = progress});
    report_ = json::parse(report.str()).as_object();
  }

  std::int64_t total(std::string_view verdict) {
    return report_.at("totals").at(verdict).to_number<std::int64_t>();
  }

  std::filesystem::path folder_;
  int status_ = -1;
  json::object report_;
};

TEST_F(LoadTest, SendsEveryOperationOnceAndReportsWhatBecameOfIt) {
  ScriptedServer server([](const SeenRequest& request) -> ScriptedAnswer {
    if (request.key == "k2") return {.status = 201, .headers = {{"Idempotency-Replayed", "true"}}};
    if (request.key == "k3") return problem(422, "payment_cap_exceeded", "consumer.payment_cap");
    return {};
  });
  load({.file = file({open("a/2001"), open("shop/2002"), pay("k1"), pay("k2"), "", pay("k3")}),
        .server = server.url(),
        .connections = 8});
  EXPECT_EQ(status_, 0);
  EXPECT_EQ(total("accepted"), 3);
  EXPECT_EQ(total("replayed"), 1);
  EXPECT_EQ(total("refused"), 1);
  EXPECT_EQ(total("failed"), 0);
  EXPECT_EQ(report_.at("ending"), "complete");
  const json::object& refusal = report_.at("refusals").at(0).as_object();
  EXPECT_EQ(refusal.at("code"), "payment_cap_exceeded");
  EXPECT_EQ(refusal.at("rule"), "consumer.payment_cap");
  EXPECT_GT(report_.at("latency_ms").at("max").to_number<double>(), 0);

  const auto seen = server.stop();
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_EQ(seen[0].target, "/v1/accounts");
  EXPECT_EQ(seen[0].book, "consumer");
  EXPECT_EQ(seen[4].target, "/v1/vouchers");
}

TEST_F(LoadTest, SendsAnOperationOnlyWhenWhatItDependsOnIsAnswered) {
  std::set<std::string> opened;
  std::vector<std::string> too_early;
  ScriptedServer server([&](const SeenRequest& request) -> ScriptedAnswer {
    if (request.target == "/v1/accounts") {
      opened.insert(std::string(json::parse(request.body).at("party").as_string()));
    } else {
      const std::string party = request.key.substr(request.key.find('-') + 1);
      if (!opened.contains(party)) too_early.push_back(request.key);
    }
    return {};
  });
  std::ofstream out(folder_ / "ops.jsonl");
  for (int i = 0; i < 500; ++i)
    out << open(fmt::format("c{}/2001", i)) << '\n'
        << pay(fmt::format("k-c{}", i), fmt::format("c{}/2001", i)) << '\n';
  out.close();
  load({.file = (folder_ / "ops.jsonl").string(), .server = server.url(), .connections = 32});
  (void)server.stop();
  EXPECT_EQ(status_, 0);
  EXPECT_EQ(total("accepted"), 1000);
  EXPECT_EQ(too_early, std::vector<std::string>{});
}

TEST_F(LoadTest, WaitsAsLongAsABusyServerAsks) {
  std::map<std::string, int> tries;
  ScriptedServer server([&](const SeenRequest& request) -> ScriptedAnswer {
    return ++tries[request.key] < 3 ? busy() : ScriptedAnswer{};
  });
  load({.file = file({pay("k1"), pay("k2")}), .server = server.url(), .connections = 2});
  EXPECT_EQ(status_, 0);
  EXPECT_EQ(total("accepted"), 2);
  EXPECT_EQ(report_.at("sent_again").at("busy").to_number<int>(), 4);
}

TEST_F(LoadTest, SendsAgainWithTheSameKeyAfterABrokenConnection) {
  std::map<std::string, int> tries;
  ScriptedServer server([&](const SeenRequest& request) -> ScriptedAnswer {
    if (++tries[request.key] == 1) return {.manner = kHangUp};
    return {.headers = {{"Idempotency-Replayed", "true"}}};
  });
  load({.file = file({pay("k1"), pay("k2"), pay("k3")}), .server = server.url(), .connections = 2});
  EXPECT_EQ(status_, 0);
  EXPECT_EQ(total("replayed"), 3);
  EXPECT_EQ(report_.at("sent_again").at("broken").to_number<int>(), 3);
  const auto seen = server.stop();
  EXPECT_EQ(seen.size(), 6u);
  for (const SeenRequest& request : seen)
    EXPECT_EQ(request.body, seen.front().body) << "a repeat must be the same request";
}

TEST_F(LoadTest, GivesUpAnOperationThatNeverGetsAnAnswerAndGoesOn) {
  ScriptedServer server([](const SeenRequest& request) -> ScriptedAnswer {
    return request.key == "poison" ? problem(500, "internal") : ScriptedAnswer{};
  });
  load({.file = file({pay("poison"), pay("k2"), pay("k3")}),
        .server = server.url(),
        .connections = 2});
  EXPECT_EQ(status_, 1);
  EXPECT_EQ(total("failed"), 1);
  EXPECT_EQ(total("accepted"), 2);
  EXPECT_EQ(report_.at("failures").at(0).at("line").to_number<int>(), 1);
}

TEST_F(LoadTest, EndsWithHowFarItCameWhenTheServerStaysAway) {
  std::string url;
  {
    url = ScriptedServer([](const SeenRequest&) { return ScriptedAnswer{}; }).url();
  }
  load({.file = file({pay("k1"), pay("k2")}), .server = url, .connections = 2, .patience = 200ms});
  EXPECT_EQ(status_, 1);
  EXPECT_EQ(report_.at("ending"), "server_away");
  EXPECT_EQ(report_.at("first_unanswered_line").to_number<int>(), 1);
  EXPECT_EQ(report_.at("operations").to_number<int>(), 0);
}

TEST_F(LoadTest, AnAnswerThatNeverComesCountsAsABrokenConnection) {
  int requests = 0;
  ScriptedServer server([&](const SeenRequest&) -> ScriptedAnswer {
    return {.manner = ++requests == 1 ? ScriptedAnswer::Manner::stay_silent
                                      : ScriptedAnswer::Manner::send};
  });
  load({.file = file({pay("k1")}),
        .server = server.url(),
        .connections = 1,
        .answer_within = 150ms});
  EXPECT_EQ(status_, 0);
  EXPECT_EQ(total("accepted"), 1);
  EXPECT_EQ(report_.at("sent_again").at("broken").to_number<int>(), 1);
}

TEST_F(LoadTest, SendsNothingFromAMalformedLineOn) {
  ScriptedServer server([](const SeenRequest&) { return ScriptedAnswer{}; });
  load({.file = file({pay("k1"), R"({"op":"pay"})", pay("k3")}), .server = server.url()});
  EXPECT_EQ(status_, 1);
  EXPECT_EQ(report_.at("ending"), "malformed_line");
  EXPECT_EQ(report_.at("malformed").at(0).at("line").to_number<int>(), 2);
  EXPECT_EQ(server.stop().size(), 1u);
}

TEST_F(LoadTest, PassesOverMalformedLinesWhenToldTo) {
  ScriptedServer server([](const SeenRequest&) { return ScriptedAnswer{}; });
  load({.file = file({pay("k1"), R"({"op":"pay"})", pay("k3")}),
        .server = server.url(),
        .on_malformed = OnMalformed::skip});
  EXPECT_EQ(status_, 1) << "a line that was never sent has no answer";
  EXPECT_EQ(report_.at("ending"), "complete");
  EXPECT_EQ(report_.at("malformed_lines").to_number<int>(), 1);
  EXPECT_EQ(server.stop().size(), 2u);
}

TEST_F(LoadTest, WritesEveryAcknowledgedKeyAndNoOther) {
  ScriptedServer server([](const SeenRequest& request) -> ScriptedAnswer {
    return request.key == "k2" ? problem(422, "insufficient_funds") : ScriptedAnswer{};
  });
  const std::string acks = (folder_ / "acks").string();
  const LoadOptions options{.file = file({open("a/2001"), pay("k1"), pay("k2"), pay("k3")}),
                            .server = server.url(),
                            .connections = 1,
                            .acks = acks};
  load(options);
  load(options);  // appends
  std::ifstream in(acks);
  std::stringstream content;
  content << in.rdbuf();
  EXPECT_EQ(content.str(), "consumer\tk1\nconsumer\tk3\nconsumer\tk1\nconsumer\tk3\n");
}

TEST_F(LoadTest, TextReportNamesReasonsAndLatency) {
  ScriptedServer server([](const SeenRequest& request) -> ScriptedAnswer {
    return request.key == "k2" ? problem(422, "insufficient_funds", "consumer.no_overdraft")
                               : ScriptedAnswer{};
  });
  std::ostringstream report;
  std::ostringstream progress;
  EXPECT_EQ(run_load({.file = file({pay("k1"), pay("k2")}), .server = server.url()},
                     {.report = report, .progress = progress}),
            0);
  EXPECT_NE(report.str().find("consumer pay: insufficient_funds (rule consumer.no_overdraft)"),
            std::string::npos)
      << report.str();
  EXPECT_NE(report.str().find("p99.9"), std::string::npos) << report.str();
}

TEST_F(LoadTest, SaysWhatIsWrongBeforeAnythingIsSent) {
  EXPECT_THROW(load({.file = (folder_ / "absent").string()}), Error);
  EXPECT_THROW(load({.file = folder_.string()}), Error);
  EXPECT_THROW(load({.file = file({pay("k1")}), .server = "https://127.0.0.1"}), Error);
  EXPECT_THROW(load({.file = file({pay("k1")}),
                     .server = "http://127.0.0.1:1",
                     .acks = (folder_ / "absent" / "acks").string()}),
               Error);
}

}  // namespace
}  // namespace carrel::client
