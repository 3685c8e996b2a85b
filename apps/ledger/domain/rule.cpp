#include "ledger/domain/rule.h"

namespace carrel::ledger {

Verdict RuleChain::check(const PostingFacts& facts) const {
  for (const Rule& rule : rules_) {
    Verdict verdict = rule.check(facts);
    if (!verdict) continue;
    verdict->rule = rule.name;
    return verdict;
  }
  return std::nullopt;
}

std::vector<Refusal> RuleChain::check_all(const PostingFacts& facts) const {
  std::vector<Refusal> refusals;
  for (const Rule& rule : rules_) {
    if (Verdict verdict = rule.check(facts)) {
      verdict->rule = rule.name;
      refusals.push_back(std::move(*verdict));
    }
  }
  return refusals;
}

}  // namespace carrel::ledger
