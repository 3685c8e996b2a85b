// RuleSet and RuleChain: the rules of a book as filters, asked in order.
//
// A rule is a struct in a file of its own under rules/: its fields are its parameters with their
// defaults, kName its name, and its call operator a pure function of the facts. To add one, write
// that file and name it in the book's line in rules/books.h:
//
//   struct NightlyPause {
//     static constexpr std::string_view kName = "nightly_pause";
//     std::int64_t from_hour = 2;
//     Verdict operator()(const PostingFacts& facts) const;
//     template <class Visitor> void parameters(Visitor&& visit) { visit("from_hour", from_hour); }
//   };
//
// Threads: rules are immutable while a chain runs. Errors: a rule does not throw.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "ledger/domain/facts.h"
#include "ledger/domain/outcome.h"

namespace carrel::ledger {

// Nothing means pass.
using Verdict = std::optional<Refusal>;

struct Rule {
  std::string name;  // "consumer.payment_cap"
  std::function<Verdict(const PostingFacts&)> check;
};

class RuleChain {
 public:
  explicit RuleChain(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  // The first refusal in order, signed with its rule's name; nothing if all pass.
  [[nodiscard]] Verdict check(const PostingFacts& facts) const;
  // Every rule that would refuse: what a dry run shows.
  [[nodiscard]] std::vector<Refusal> check_all(const PostingFacts& facts) const;

  [[nodiscard]] const std::vector<Rule>& rules() const noexcept { return rules_; }

 private:
  std::vector<Rule> rules_;
};

// The parameters of a book's rules: one value of each, in the order in which they are asked.
template <class... Rules>
struct RuleSet {
  std::tuple<Rules...> rules;

  template <class R>
  [[nodiscard]] R& get() noexcept {
    return std::get<R>(rules);
  }
  // visit(rule) for each, in order: how a configuration file reaches the parameters.
  template <class Visitor>
  void for_each(Visitor&& visit) {
    std::apply([&](Rules&... each) { (visit(each), ...); }, rules);
  }
  [[nodiscard]] RuleChain chain(std::string_view book) const {
    return std::apply(
        [&](const Rules&... each) {
          return RuleChain({Rule{std::string(book) + "." + std::string(Rules::kName), each}...});
        },
        rules);
  }
};

}  // namespace carrel::ledger
