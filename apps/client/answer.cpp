#include "client/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <string_view>

namespace carrel::client {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kPauseDefault = 100ms;
constexpr std::chrono::milliseconds kPauseMax = 5s;

// Retry-After in seconds (RFC 9110, 10.2.3); its date form is not used by the service.
std::chrono::milliseconds pause_from(std::string_view retry_after) {
  unsigned seconds = 0;
  const auto [end, failure] =
      std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  if (failure != std::errc{}) return kPauseDefault;
  return std::clamp<std::chrono::milliseconds>(std::chrono::seconds{seconds}, kPauseDefault,
                                               kPauseMax);
}

std::string string_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// Reads code, rule and detail out of a problem document (RFC 9457); any other body has none.
Outcome outcome_of_problem(const Answer& answer) {
  Outcome outcome;
  outcome.status = answer.status;
  json::error_code failure;
  const json::value document = json::parse(answer.body, failure);
  if (!failure && document.is_object()) {
    outcome.code = string_at(document.get_object(), "code");
    outcome.rule = string_at(document.get_object(), "rule");
    outcome.detail = string_at(document.get_object(), "detail");
  }
  if (outcome.code.empty()) outcome.code = fmt::format("http_{}", answer.status);
  outcome.detail = fmt::format("{} {}{}{}", answer.status, outcome.code,
                               outcome.detail.empty() ? "" : ": ", outcome.detail);
  return outcome;
}

}  // namespace

Judgement judge(const Operation& operation, const Answer& answer) {
  Judgement judgement;
  if (answer.status >= 200 && answer.status < 300) {
    // Opening an account that is there already answers 200 instead of 201.
    const bool replayed = answer.idempotency_replayed == "true" ||
                          (operation.kind == Kind::open && answer.status == 200);
    judgement.outcome.status = answer.status;
    judgement.outcome.verdict = replayed ? Verdict::replayed : Verdict::accepted;
    return judgement;
  }
  judgement.outcome = outcome_of_problem(answer);
  // 409 is "another request with this key is running" when it names a time to come back.
  const bool in_progress = answer.status == 409 && !answer.retry_after.empty();
  if (answer.status == 429 || answer.status == 503 || in_progress) {
    judgement.next = Next::later;
    judgement.pause = pause_from(answer.retry_after);
  } else if (answer.status >= 400 && answer.status < 500 && answer.status != 408) {
    judgement.outcome.verdict = Verdict::refused;
  } else {
    judgement.next = Next::retry_fault;
    judgement.pause = kPauseDefault;
  }
  return judgement;
}

}  // namespace carrel::client
