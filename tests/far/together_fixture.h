// A transfer between two real clusters, each behind a fault gate.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "drivers/fault_gate.h"
#include "far/two_shards.h"

namespace carrel::test {

class TogetherTest : public testing::Test {
 protected:
  TogetherTest() {
    a_.open()->execute("insert into account values ('from', 1, 100)");
    b_.open()->execute("insert into account values ('to', 60, 100)");
    make_session();
  }
  void make_session(std::function<void(TwoPhaseStep)> on_step = nullptr,
                    std::chrono::milliseconds settle_max = std::chrono::seconds(30)) {
    session_.emplace(SessionOptions{
        .routes = {{"a", &a_.pool(), {}}, {"b", &b_.pool(), {}}},
        .marker = [this]() -> std::optional<std::string_view> { return *shard_.find(); },
        .two_phase =
            TwoPhase{.name = own_name(), .settle_max = settle_max, .on_step = std::move(on_step)},
        .pause = [](std::chrono::nanoseconds) {}});
  }
  void add(const char* shard, std::int64_t amount) {
    const auto bound = shard_.bind(std::string(shard));
    session_->execute("update account set balance = balance + $1", amount);
  }
  Together transfer(const TransactionOptions& options = {}) {
    return session_->together(options, [&] { add("a", -10); }, [&] { add("b", 10); });
  }
  // Whether it was transferred; fails where one side has it and the other has not.
  bool transferred() {
    const auto from = a_.number("select balance from account");
    const auto to = b_.number("select balance from account");
    EXPECT_EQ(from + to, 200);
    return from != 100;
  }
  void expect_nothing_prepared() {
    EXPECT_EQ(a_.prepared(), 0);
    EXPECT_EQ(b_.prepared(), 0);
  }

  FaultGate gate_a_{server_port("SHARD_A_PORT")};
  Shard a_{"SHARD_A", gate_a_.port()};
  FaultGate gate_{server_port("SHARD_B_PORT")};
  Shard b_{"SHARD_B", gate_.port()};
  RequestLocal<std::string> shard_{"shard"};
  std::optional<Session> session_;
  const Scope scope_{{.name = "a test"}};
};

}  // namespace carrel::test
