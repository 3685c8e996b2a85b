// A session over a database that only keeps a diary, and the words that the tests speak in.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/code_of.h"
#include "carrel/db/pool.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "db/stub_driver.h"

namespace carrel::test {

// Two routes, "consumer" and "merchant", chosen by the request-local `book`.
class StubSession : public testing::Test {
 protected:
  explicit StubSession(std::size_t size = 3)
      : consumer_pool_({.name = "consumer", .size_max = size, .maintain_every = {}}, driver_),
        merchant_pool_({.name = "merchant", .size_max = size, .maintain_every = {}},
                       merchant_driver_),
        session_({.routes = {{"consumer", &consumer_pool_, {{"account", "consumer_account"}}},
                             {"merchant", &merchant_pool_, {{"account", "merchant_account"}}}},
                  .marker = [this]() -> std::optional<std::string_view> {
                    const auto* book = book_.find();
                    if (book == nullptr) return std::nullopt;
                    return *book;
                  },
                  .on_hook_error =
                      [this](const std::exception& error) { hook_errors_.push_back(error.what()); },
                  .pause = [this](std::chrono::nanoseconds time) { pauses_.push_back(time); }}),
        scope_(std::make_unique<Scope>(ScopeOptions{.name = "a test"})) {
    book_.set("consumer");
  }

  // What was sent to the consumers' database since the last look, the connections numbered in the
  // order in which they appear.
  Diary sent() {
    auto diary = driver_.diary();
    driver_.forget_diary();
    std::vector<std::string> seen;
    for (auto& entry : diary) {
      const auto space = entry.find(' ');
      const auto number = entry.substr(0, space);
      auto found = std::find(seen.begin(), seen.end(), number);
      if (found == seen.end()) found = seen.insert(seen.end(), number);
      entry = std::to_string(found - seen.begin() + 1) + entry.substr(space);
    }
    return diary;
  }

  StubDriver driver_;
  StubDriver merchant_driver_;
  Pool consumer_pool_;
  Pool merchant_pool_;
  RequestLocal<std::string> book_{"book"};
  std::vector<std::string> hook_errors_;
  std::vector<std::chrono::nanoseconds> pauses_;
  Session session_;
  std::unique_ptr<Scope> scope_;
};

// As StubSession, with a log for hooks to write to.
class LoggedSession : public StubSession {
 protected:
  using Log = std::vector<std::string>;
  void log(std::string entry) { log_.push_back(std::move(entry)); }
  [[nodiscard]] std::function<void()> logging(std::string entry) {
    return [this, entry = std::move(entry)] { log(entry); };
  }

  Log log_;
};

// As StubSession, with a single connection for each route.
class OneConnection : public StubSession {
 protected:
  OneConnection() : StubSession(1) {}
};

}  // namespace carrel::test
