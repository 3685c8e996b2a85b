// What a server's answer to an operation means.
//
// Pure: from status, the headers that matter and the body to a decision. Threads: any.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "client/load_report.h"
#include "client/operation.h"

namespace carrel::client {

struct Answer {
  int status = 0;
  std::string retry_after = {};           // the header's text, empty when absent
  std::string idempotency_replayed = {};  // the header's text, empty when absent
  std::string body = {};
};

enum class Next {
  settle,       // the outcome is definite
  later,        // the server asks for patience: send it again after `pause`
  retry_fault,  // the server broke (5xx): it may or may not have happened; try again, a few times
};

struct Judgement {
  Next next = Next::settle;
  Outcome outcome;
  std::chrono::milliseconds pause{0};
};

[[nodiscard]] Judgement judge(const Operation& operation, const Answer& answer);

}  // namespace carrel::client
