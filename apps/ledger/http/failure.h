// Which problem document a failure becomes.
//
//   in doubt   503 "outcome_unknown": send the same request with the same key again
//   retryable  503 with the failure's own code: nothing happened, try again
//   others     500 "internal_error": the details are in the log, under the request's id
#pragma once

#include "carrel/base/error.h"
#include "ledger/domain/outcome.h"
#include "ledger/http/problem.h"
#include "ledger/http/router.h"

namespace carrel::ledger::http {

[[nodiscard]] Problem problem_of(const Error& error);
[[nodiscard]] Problem unexpected_problem();

// What a refusal becomes: 400 malformed, 404 not found, 422 business; a conflict is 422 where the
// key belongs to another request and 409 otherwise.
[[nodiscard]] Problem problem_of(const Refusal& refusal);

// A handler's answer when it says no: the problem, with the call's book and request id.
[[nodiscard]] Response refused(const Call& call, Problem problem);
[[nodiscard]] Response refused(const Call& call, const Refusal& refusal);

}  // namespace carrel::ledger::http
