// Files of tools/make-ops hold what they promise: a model of the ledger's rules takes them in
// random orders that respect the dependencies, and the same operations are accepted every time.
#include <gtest/gtest.h>
#include <stdio.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "client/operation.h"
#include "client/schedule.h"

namespace carrel::client {
namespace {

std::string make_ops(const std::string& arguments) {
  const std::string command = MAKE_OPS " " + arguments + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string output;
  char buffer[65536];
  while (const std::size_t size = ::fread(buffer, 1, sizeof buffer, pipe.get()))
    output.append(buffer, size);
  return output;
}

enum class Verdict { accepted, replayed, refused };

// The rules in force, in few words: accounts exist, consumers pay at most the cap, nobody goes
// below zero, refunds stay within their payment, a key has one body.
class ModelLedger {
 public:
  Verdict take(const Operation& operation) {
    const auto name = [&](const std::string& text) { return std::pair{operation.book, text}; };
    if (operation.kind == Kind::open)
      return opened_.insert(name(operation.account)).second ? Verdict::accepted : Verdict::replayed;
    if (const auto known = bodies_.find(name(operation.key)); known != bodies_.end())
      return known->second == body_of(operation) ? Verdict::replayed : Verdict::refused;
    if (!moves(operation)) return Verdict::refused;
    bodies_[name(operation.key)] = body_of(operation);
    return Verdict::accepted;
  }

 private:
  bool moves(const Operation& operation) {
    constexpr std::int64_t kCap = 20'000'00;
    const std::int64_t amount = std::stoll(operation.amount);
    const auto name = [&](const std::string& text) { return std::pair{operation.book, text}; };
    if (!opened_.contains(name(operation.to))) return false;
    if (operation.kind != Kind::credit) {
      if (!opened_.contains(name(operation.from))) return false;
      const bool capped = operation.kind == Kind::pay && operation.book == Book::consumer;
      if (capped && amount > kCap) return false;
      if (balances_[name(operation.from)] < amount) return false;
      if (operation.kind == Kind::refund) {
        const auto left = refundable_.find(name(operation.original));
        if (left == refundable_.end() || left->second < amount) return false;
        left->second -= amount;
      } else {
        refundable_[name(operation.key)] = amount;
      }
      balances_[name(operation.from)] -= amount;
    }
    balances_[name(operation.to)] += amount;
    return true;
  }

  using Name = std::pair<Book, std::string>;
  std::set<Name> opened_;
  std::map<Name, std::string> bodies_;
  std::map<Name, std::int64_t> balances_;
  std::map<Name, std::int64_t> refundable_;
};

// What becomes of each line when up to 64 operations are on their way and are answered in an order
// drawn from `seed`.
std::map<std::uint64_t, Verdict> replay_at_random(const std::string& text, unsigned seed) {
  std::istringstream stream(text);
  OperationReader reader(stream, OnMalformed::stop);
  Schedule schedule(reader);
  ModelLedger ledger;
  std::mt19937 random(seed);
  std::vector<const Operation*> in_flight;
  std::map<std::uint64_t, Verdict> verdicts;
  while (true) {
    while (in_flight.size() < 64) {
      const Operation* operation = schedule.next();
      if (operation == nullptr) break;
      in_flight.push_back(operation);
    }
    if (in_flight.empty()) break;
    std::swap(in_flight[random() % in_flight.size()], in_flight.back());
    verdicts[in_flight.back()->line] = ledger.take(*in_flight.back());
    schedule.complete(*in_flight.back());
    in_flight.pop_back();
  }
  EXPECT_EQ(reader.malformed_lines(), 0u);
  return verdicts;
}

TEST(MakeOps, SameArgumentsMakeTheSameFile) {
  EXPECT_EQ(make_ops("--operations 2000 --seed 7"), make_ops("--operations 2000 --seed 7"));
  EXPECT_NE(make_ops("--operations 2000 --seed 7"), make_ops("--operations 2000 --seed 8"));
}

TEST(MakeOps, WritesAsManyLinesAsWanted) {
  for (const std::string count : {"1", "17", "1000"})
    EXPECT_EQ(std::ranges::count(make_ops("--operations " + count), '\n'), std::stol(count));
}

TEST(MakeOps, EveryOrderHasTheSameOutcome) {
  const std::string text = make_ops("--operations 6000 --seed 11");
  const auto in_one_order = replay_at_random(text, 1);
  ASSERT_EQ(in_one_order.size(), 6'000u);
  for (const unsigned seed : {2u, 3u, 4u}) EXPECT_EQ(replay_at_random(text, seed), in_one_order);
}

TEST(MakeOps, OutcomeIsTheOneInItsSummary) {
  const std::string text = make_ops("--operations 6000 --seed 5 --summary /dev/stdout");
  // The summary is the only line of the output that starts with this.
  const std::size_t at = text.find(R"({"open":)");
  ASSERT_NE(at, std::string::npos);
  const auto expected = [&](const std::string& name) {
    return std::stoll(text.substr(text.find(R"(")" + name + R"(": )", at) + name.size() + 4));
  };
  std::map<Verdict, std::int64_t> count;
  for (const auto& [line, verdict] : replay_at_random(text.substr(0, at), 1)) ++count[verdict];
  EXPECT_EQ(count[Verdict::refused], expected("refused") + expected("conflicting"));
  EXPECT_EQ(count[Verdict::replayed], expected("repeated"));
  EXPECT_EQ(count[Verdict::accepted],
            expected("open") + expected("credit") + expected("pay") + expected("refund"));
}

TEST(MakeOps, HasTheSharesItPromises) {
  const std::string text = make_ops("--operations 20000 --seed 3");
  std::map<Verdict, double> share;
  for (const auto& [line, verdict] : replay_at_random(text, 1)) share[verdict] += 1 / 20'000.0;
  EXPECT_NEAR(share[Verdict::refused], 0.02, 0.005);
  EXPECT_NEAR(share[Verdict::replayed], 0.01, 0.003);

  std::istringstream stream(text);
  OperationReader reader(stream, OnMalformed::stop);
  std::map<std::pair<Book, Kind>, double> kinds;
  std::map<std::string, double> received;
  while (const auto operation = reader.next()) {
    kinds[{operation->book, operation->kind}] += 1 / 20'000.0;
    if (operation->kind == Kind::pay) received[operation->to] += 1 / 20'000.0;
  }
  EXPECT_GT((kinds[{Book::consumer, Kind::pay}]), 0.6);
  EXPECT_GT((kinds[{Book::merchant, Kind::pay}]), 0.05);
  EXPECT_GT((kinds[{Book::consumer, Kind::refund}]), 0.03);
  EXPECT_GT(std::ranges::max_element(received, {}, [](auto& item) { return item.second; })->second,
            0.1)
      << "there is a hot account";
}

}  // namespace
}  // namespace carrel::client
