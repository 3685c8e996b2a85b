#include "ledger/domain/account.h"

#include <algorithm>

namespace carrel::ledger {
namespace {

constexpr std::size_t kPartyBytesMax = 64;
constexpr std::size_t kSubjectDigitsMax = 12;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// Independent of the process's locale, unlike std::isalnum.
bool is_party_character(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("._:@-").find(c) != std::string_view::npos;
}

}  // namespace

std::optional<Tier> parse_tier(std::int64_t number) noexcept {
  if (number < 1 || number > 3) return std::nullopt;
  return static_cast<Tier>(number);
}

bool is_party_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kPartyBytesMax &&
         std::ranges::all_of(name, is_party_character);
}

std::string_view to_string(AccountStatus status) noexcept {
  switch (status) {
    case AccountStatus::active:
      return "active";
    case AccountStatus::frozen:
      return "frozen";
    case AccountStatus::stop_in:
      return "stop_in";
    case AccountStatus::stop_out:
      return "stop_out";
    case AccountStatus::closed:
      return "closed";
  }
  return "unknown";
}

std::optional<AccountRef> AccountRef::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    const auto id = parse_minor_units(text);  // the same strict form of decimals
    if (!id || *id <= 0) return std::nullopt;
    return of(*id);
  }
  const std::string_view party = text.substr(0, slash);
  const std::string_view subject = text.substr(slash + 1);
  if (!is_party_name(party) || subject.empty() || subject.size() > kSubjectDigitsMax ||
      !std::ranges::all_of(subject, is_digit))
    return std::nullopt;
  AccountRef ref;
  ref.party_ = party;
  ref.subject_ = subject;
  return ref;
}

AccountRef AccountRef::of(std::int64_t id) {
  AccountRef ref;
  ref.id_ = id;
  return ref;
}

std::string AccountRef::to_string() const {
  return id_ ? std::to_string(*id_) : party_ + "/" + subject_;
}

}  // namespace carrel::ledger
