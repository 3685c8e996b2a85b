// AckLog: a file of every key the server acknowledged, for `carrel check --acks`.
//
// One line an operation, "book TAB key", handed to the operating system before anything else is
// done with the answer: it survives the death of this process. Lines are appended, so that a replay
// of the same file after a crash adds to what is there. Accounts have no key and are not written.
//
// Threads: one. Errors: throws carrel::Error "client.acks_unwritable".
#pragma once

#include <string>

#include "client/operation.h"

namespace carrel::client {

class AckLog {
 public:
  explicit AckLog(std::string path);
  AckLog(const AckLog&) = delete;
  AckLog& operator=(const AckLog&) = delete;
  ~AckLog();

  void append(const Operation& operation);

 private:
  std::string path_;
  int descriptor_;
};

}  // namespace carrel::client
