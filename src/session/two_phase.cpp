#include "session/two_phase.h"

#include <algorithm>
#include <array>
#include <exception>
#include <random>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/db/sql_error.h"
#include "session/session_core.h"

namespace carrel {
namespace session {
namespace {

constexpr std::size_t kNameMax = 60;

bool is_sound(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kNameMax && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// 128 bits from the system: never used twice, by whichever process.
std::string random_name() {
  std::random_device bits;
  std::string name;
  for (int i = 0; i < 32; ++i) name += "0123456789abcdef"[bits() % 16];
  return name;
}

}  // namespace

void require_sound(const TwoPhase& how, std::span<const Destination> destinations) {
  const auto require = [](std::string_view name) {
    if (is_sound(name)) return;
    throw Error("invalid_two_phase", "'" + std::string(name) +
                                         "' cannot be part of a prepared transaction's name: "
                                         "1 to 60 letters, digits or '._-'");
  };
  require(how.name);
  require(how.log_table);  // becomes part of SQL
  for (const auto& destination : destinations) require(destination.route.name);
}

std::optional<TogetherName> TogetherName::of_prepared(const TwoPhase& how,
                                                      std::string_view prepared) {
  const auto route = how.name.size() + 1;
  const auto random = prepared.find('/', route);
  const auto number = prepared.rfind('/');
  if (random == std::string_view::npos || number <= random) return std::nullopt;
  return TogetherName{.whole = std::string(prepared.substr(0, number)),
                      .route = std::string(prepared.substr(route, random - route))};
}

std::optional<Prepared> decision_of(const TwoPhase& how, Pool& decider, std::string_view name,
                                    Clock::Steady until) noexcept {
  // A connection that died along with the decider's says nothing; the pool has others.
  for (int tries = 0; tries < 3; ++tries) {
    try {
      auto lease = decider.borrow({.deadline = until});
      lease->set_deadline(until);
      // Read committed: in a snapshot the row of a decider that was waited for could not be told.
      lease->begin({.isolation = Isolation::read_committed});
      const std::array parameters = {Value(name)};
      const auto inserted = lease->execute(
          "insert into " + how.log_table + " (name) values ($1) on conflict do nothing",
          parameters);
      lease->set_deadline(kNoDeadline);
      lease->rollback();
      return inserted.affected_rows() == 0 ? Prepared::commit : Prepared::roll_back;
    } catch (const std::exception&) {
      // Nobody knows, then, which is what is returned.
    }
  }
  return std::nullopt;
}

Clock::Steady CommitTogether::settled_by() const {
  return Clock::Steady::clock::now() + how_.settle_max;
}

Together CommitTogether::commit() {
  for (auto& branch : branches_) {
    if (branch.destination() == nullptr) continue;
    if (decider_ != nullptr) prepared_.push_back(decider_);
    decider_ = &branch;
  }
  if (decider_ == nullptr) return Together::committed;  // nobody has said anything
  if (prepared_.empty()) {
    decider_->commit();
    return Together::committed;
  }
  step(TwoPhaseStep::worked);
  prepare_all();
  decide();
  step(TwoPhaseStep::decided);
  const bool finished = finish_all(Prepared::commit);
  step(TwoPhaseStep::finished);
  return finished ? Together::committed : Together::unfinished;
}

void CommitTogether::prepare_all() {
  const auto others = std::exchange(prepared_, {});
  name_ = how_.name + "/" + decider_->destination()->route.name + "/" + random_name();
  const std::array parameters = {Value(std::string_view(name_))};
  decider_->record("insert into " + how_.log_table + " (name) values ($1)", parameters);
  step(TwoPhaseStep::logged);
  for (auto* branch : others) {
    prepared_.push_back(branch);  // before it is: an answer may be lost
    branch->prepare(part(prepared_.size()));
    step(TwoPhaseStep::prepared);
  }
}

void CommitTogether::decide() {
  try {
    return decider_->commit();
  } catch (const Error& error) {
    if (!error.in_doubt()) throw;
    undecided_ = true;
    // Else it was committed, but is not known to be on a replica: the log here cannot tell more.
    if (error.code() != "sql.connection_lost" && error.code() != "sql.deadline") throw;
    decider_->release();  // whoever asks may need its place in the pool
    const auto decision =
        decision_of(how_, *decider_->destination()->route.pool, name_, settled_by());
    if (!decision) throw;
    undecided_ = false;
    if (*decision == Prepared::commit) return decider_->settle(Outcome::committed);
    decider_->settle(Outcome::rolled_back);
  }
  throw SqlError("sql.connection_lost",
                 {.message = "lost at COMMIT; the log says that nothing was committed",
                  .statement = "commit",
                  .traits = {.retryable = true}});
}

bool CommitTogether::finish_all(Prepared end) noexcept {
  const auto until = settled_by();
  bool all = true;
  for (std::size_t i = 0; i < prepared_.size(); ++i) {
    all &= prepared_[i]->finish(part(i + 1), end, until);
    prepared_[i]->settle(end == Prepared::commit ? Outcome::committed : Outcome::rolled_back);
  }
  return all;
}

void CommitTogether::roll_back() noexcept {
  if (undecided_) {
    for (auto* branch : prepared_) branch->settle(Outcome::in_doubt);
    return;
  }
  for (auto& branch : branches_) branch.roll_back();
  static_cast<void>(finish_all(Prepared::roll_back));  // else presumed: recover() does
}

}  // namespace session

using session::PhysicalTransaction;
using session::Restored;

void Session::Core::run_branches(Bound& bound, const TransactionOptions& options,
                                 Clock::Steady deadline,
                                 std::span<const std::function<void()>> branches,
                                 std::deque<PhysicalTransaction>& open) {
  for (const auto& branch : branches) {
    auto& own = open.emplace_back(options, deadline, bound.stop);
    const Restored<PhysicalTransaction*> current(bound.current, &own);
    branch();
    if (own.doom() == PhysicalTransaction::Doom::none) own.hooks().run_before_commit();
    if (own.doom() != PhysicalTransaction::Doom::none) return;  // all of them will roll back
  }
}

Together Session::Core::attempt_together(Bound& bound, const TransactionOptions& options,
                                         Clock::Steady deadline,
                                         std::span<const std::function<void()>> branches) {
  using Doom = PhysicalTransaction::Doom;
  std::deque<PhysicalTransaction> open;
  session::CommitTogether end(*options_.two_phase, open);
  const auto complete_all = [&] {
    for (auto& branch : open) branch.release();
    for (auto& branch : open) complete(bound, branch);
  };
  auto ended = Together::rolled_back;
  try {
    run_branches(bound, options, deadline, branches, open);
    const auto doomed = [&](Doom why) {
      return std::ranges::any_of(open, [&](const auto& branch) { return branch.doom() == why; });
    };
    if (doomed(Doom::by_participant)) session::throw_rolled_back();
    if (doomed(Doom::asked)) {
      end.roll_back();
    } else {
      ended = end.commit();
    }
  } catch (...) {
    end.roll_back();
    complete_all();
    throw;
  }
  complete_all();
  return ended;
}

}  // namespace carrel
