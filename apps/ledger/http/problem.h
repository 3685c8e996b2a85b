// Problem: an error as the client sees it, an RFC 9457 document.
//
// Every answer from 400 up is one. `code` is stable and meant for programs; `detail` is for people
// and may change. Members that are empty are left out.
//
//   return to_response({.status = 404, .code = "account_not_found",
//                       .detail = "No account 'alice/2001' in this book."});
//
// A 4xx promises that nothing moved.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "ledger/http/message.h"

namespace carrel::ledger::http {

struct FieldError {
  std::string field;   // "legs[1].amount"
  std::string detail;  // "must be a string of digits"
};

struct Problem {
  unsigned status = 500;
  std::string code = {};
  std::string detail = {};
  std::string book = {};        // the request's book, where it had a valid one
  std::string rule = {};        // the rule that refused
  std::string request_id = {};  // filled in at the edge
  std::vector<FieldError> errors = {};
  std::chrono::seconds retry_after{0};  // 0: no Retry-After header
  std::string allow = {};               // the methods that there are, for 405
};

[[nodiscard]] Response to_response(const Problem& problem);

}  // namespace carrel::ledger::http
