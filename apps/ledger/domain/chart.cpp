#include "ledger/domain/chart.h"

#include <algorithm>
#include <utility>

#include "carrel/base/assert.h"

namespace carrel::ledger {
namespace {

using enum SubjectType;
using enum Side;

std::vector<Subject> house_subjects() {
  const SubjectUse use = SubjectUse::house;
  return {
      {"1001", "Cash on hand", "库存现金", asset, debit, use},
      {"1002", "Bank deposits", "银行存款", asset, debit, use},
      {"1012", "Funds at payment channels", "其他货币资金", asset, debit, use},
      {"1221", "Other receivables", "其他应收款", asset, debit, use},
      {"2241", "Other payables", "其他应付款", liability, credit, use},
      {"3001", "Clearing in transit", "清算资金往来", clearing, debit, use},
      {"4001", "Paid-in capital", "实收资本", equity, credit, use},
      {"6021", "Fee income", "手续费及佣金收入", income, credit, use},
      {"6421", "Channel fees", "手续费及佣金支出", expense, debit, use},
      {"6711", "Losses", "营业外支出", expense, debit, use},
  };
}

std::vector<Subject> party_subjects(Book book) {
  const SubjectUse use = SubjectUse::party;
  if (book == Book::consumer)
    return {
        {"2001", "Consumer balances", "用户余额", liability, credit, use},
        {"2002", "Owed to merchants", "应付商户款", liability, credit, use},
    };
  return {
      {"2001", "Merchant balances", "商户余额", liability, credit, use},
      {"2002", "Merchant money in settlement", "商户待结算款", liability, credit, use},
      {"2003", "Merchant reserves", "商户保证金", liability, credit, use},
  };
}

}  // namespace

std::string_view to_string(Side side) noexcept {
  return side == debit ? "debit" : "credit";
}

std::string_view to_string(SubjectType type) noexcept {
  switch (type) {
    case asset:
      return "asset";
    case liability:
      return "liability";
    case clearing:
      return "clearing";
    case equity:
      return "equity";
    case income:
      return "income";
    case expense:
      return "expense";
  }
  return "unknown";
}

std::string_view to_string(SubjectUse use) noexcept {
  return use == SubjectUse::house ? "house" : "party";
}

std::optional<Side> parse_side(std::string_view name) noexcept {
  if (name == "debit") return debit;
  if (name == "credit") return credit;
  return std::nullopt;
}

ChartOfAccounts::ChartOfAccounts(std::vector<Subject> subjects) : subjects_(std::move(subjects)) {
  std::ranges::sort(subjects_, {}, &Subject::code);
  const auto twice = std::ranges::adjacent_find(subjects_, {}, &Subject::code);
  CARREL_ASSERT(twice == subjects_.end(), "subject " + twice->code + " is in the chart twice");
}

ChartOfAccounts ChartOfAccounts::standard(Book book) {
  std::vector<Subject> subjects = house_subjects();
  for (Subject& subject : party_subjects(book)) subjects.push_back(std::move(subject));
  return ChartOfAccounts(std::move(subjects));
}

const Subject* ChartOfAccounts::find(std::string_view code) const noexcept {
  const auto found = std::ranges::lower_bound(subjects_, code, {}, &Subject::code);
  return found != subjects_.end() && found->code == code ? &*found : nullptr;
}

}  // namespace carrel::ledger
