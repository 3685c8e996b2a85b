#include "ledger/http/problem.h"

#include <boost/json.hpp>

namespace carrel::ledger::http {

namespace json = boost::json;

Response to_response(const Problem& problem) {
  json::object document;
  document["type"] = "urn:carrel:problem:" + problem.code;
  document["title"] = reason_phrase(problem.status);
  document["status"] = problem.status;
  document["detail"] = problem.detail;
  document["code"] = problem.code;
  if (!problem.book.empty()) document["book"] = problem.book;
  if (!problem.rule.empty()) document["rule"] = problem.rule;
  if (!problem.request_id.empty()) document["request_id"] = problem.request_id;
  if (!problem.errors.empty()) {
    json::array errors;
    for (const FieldError& error : problem.errors)
      errors.push_back(json::object{{"field", error.field}, {"detail", error.detail}});
    document["errors"] = std::move(errors);
  }

  Response response = {.status = problem.status,
                       .content_type = "application/problem+json",
                       .body = json::serialize(document)};
  if (problem.retry_after.count() > 0)
    response.headers.add("Retry-After", std::to_string(problem.retry_after.count()));
  if (!problem.allow.empty()) response.headers.add("Allow", problem.allow);
  return response;
}

}  // namespace carrel::ledger::http
