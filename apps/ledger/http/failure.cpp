#include "ledger/http/failure.h"

namespace carrel::ledger::http {
namespace {

constexpr std::chrono::seconds kRetryAfter{1};

unsigned status_of(const Refusal& refusal) {
  switch (refusal.kind) {
    case RefusalKind::malformed:
      return 400;
    case RefusalKind::not_found:
      return 404;
    case RefusalKind::conflict:
      return refusal.code == "key_reused" ? 422 : 409;
    case RefusalKind::business:
      return 422;
  }
  return 422;
}

}  // namespace

Problem problem_of(const Error& error) {
  if (error.in_doubt())
    return {.status = 503,
            .code = "outcome_unknown",
            .detail =
                "It is not known whether this was booked. Send the same request with the "
                "same Idempotency-Key again: it is booked once at most.",
            .retry_after = kRetryAfter};
  if (error.retryable())
    return {.status = 503,
            .code = std::string(error.code()),
            .detail =
                "The service is overloaded or a resource is busy. Nothing happened; try "
                "again.",
            .retry_after = kRetryAfter};
  return unexpected_problem();
}

Problem unexpected_problem() {
  return {.status = 500,
          .code = "internal_error",
          .detail =
              "The server failed. Its log has the details under this request_id. To learn "
              "whether a posting was booked, send it again with the same Idempotency-Key."};
}

Problem problem_of(const Refusal& refusal) {
  return {.status = status_of(refusal),
          .code = refusal.code,
          .detail = refusal.message,
          .rule = refusal.rule};
}

Response refused(const Call& call, Problem problem) {
  if (call.book) problem.book = to_string(*call.book);
  problem.request_id = call.request_id;
  return to_response(problem);
}

Response refused(const Call& call, const Refusal& refusal) {
  return refused(call, problem_of(refusal));
}

}  // namespace carrel::ledger::http
