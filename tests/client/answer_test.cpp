#include "client/answer.h"

#include <gtest/gtest.h>

namespace carrel::client {
namespace {

using namespace std::chrono_literals;

Judgement judged(const Answer& answer, Kind kind = Kind::pay) {
  Operation operation;
  operation.kind = kind;
  return judge(operation, answer);
}

TEST(Answer, SuccessIsAcceptedOrReplayed) {
  EXPECT_EQ(judged({.status = 201}).outcome.verdict, Verdict::accepted);
  EXPECT_EQ(judged({.status = 201, .idempotency_replayed = "true"}).outcome.verdict,
            Verdict::replayed);
  EXPECT_EQ(judged({.status = 201}, Kind::open).outcome.verdict, Verdict::accepted);
  EXPECT_EQ(judged({.status = 200}, Kind::open).outcome.verdict, Verdict::replayed);
}

TEST(Answer, RefusalCarriesCodeAndRule) {
  const Judgement judgement = judged(
      {.status = 422,
       .body =
           R"({"code":"payment_cap_exceeded","rule":"consumer.payment_cap","detail":"too much"})"});
  EXPECT_EQ(judgement.next, Next::settle);
  EXPECT_EQ(judgement.outcome.verdict, Verdict::refused);
  EXPECT_EQ(judgement.outcome.code, "payment_cap_exceeded");
  EXPECT_EQ(judgement.outcome.rule, "consumer.payment_cap");
}

TEST(Answer, RefusalWithoutAProblemDocumentIsNamedByItsStatus) {
  EXPECT_EQ(judged({.status = 404, .body = "<html>"}).outcome.code, "http_404");
}

TEST(Answer, LaterMeansLater) {
  for (const int status : {429, 503, 409}) {
    const Judgement judgement = judged({.status = status, .retry_after = "2"});
    EXPECT_EQ(judgement.next, Next::later) << status;
    EXPECT_EQ(judgement.pause, 2s) << status;
    EXPECT_EQ(judgement.outcome.verdict, Verdict::failed) << status;  // if patience runs out
  }
  EXPECT_EQ(judged({.status = 409}).next, Next::settle);  // a conflict for good
}

TEST(Answer, PauseIsBoundedWhateverTheServerAsks) {
  EXPECT_EQ(judged({.status = 503, .retry_after = "86400"}).pause, 5s);
  EXPECT_EQ(judged({.status = 503, .retry_after = "0"}).pause, 100ms);
  EXPECT_EQ(judged({.status = 503, .retry_after = "Wed, 21 Oct 2026 07:28:00 GMT"}).pause, 100ms);
}

TEST(Answer, ServerFaultsLeaveTheOutcomeOpen) {
  for (const int status : {500, 502, 504, 408})
    EXPECT_EQ(judged({.status = status}).next, Next::retry_fault) << status;
}

}  // namespace
}  // namespace carrel::client
