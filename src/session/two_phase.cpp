#include "session/two_phase.h"

#include <algorithm>
#include <array>
#include <exception>
#include <random>
#include <set>
#include <utility>

#include "base/later.h"
#include "carrel/base/error.h"
#include "carrel/db/sql_error.h"
#include "db/wait_for_replicas.h"
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
  require(how.log_table);
  if (how.log_table.find('-') != std::string::npos) {  // becomes part of SQL
    throw Error("invalid_two_phase", "'" + how.log_table + "' is no name of a table");
  }
  for (const auto& destination : destinations) {
    require(destination.route.name);
    // Only the role that prepared a transaction may finish it, and each schema would need a log.
    if (destination.route.place == Place()) continue;
    throw Error("invalid_two_phase", "route '" + destination.route.name +
                                         "' names a role or a schema, where together() has none");
  }
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
                                    Clock::Steady until, const Pause& pause) noexcept {
  std::optional<Prepared> decision;
  static_cast<void>(persist(pause, until, [&] {
    auto lease = decider.borrow({.deadline = until});
    lease->set_deadline(until);
    // Read committed: in a snapshot the row of a decider that was waited for could not be told.
    lease->begin({.isolation = Isolation::read_committed});
    const std::array parameters = {Value(name)};
    // "(name)": fails where the table lacks its key, and would take every name for a new one.
    const auto inserted = lease->execute(
        "insert into " + how.log_table + " (name) values ($1) on conflict (name) do nothing",
        parameters);
    lease->rollback();
    if (inserted.affected_rows() > 0) {
      decision = Prepared::roll_back;
    } else {
      lease->set_deadline(until);
      db::wait_for_replicas(*lease);
      decision = Prepared::commit;
    }
  }));
  return decision;
}

Clock::Steady CommitTogether::settled_by() const {
  return base::from_now(how_.settle_max);
}

Together CommitTogether::commit() {
  for (auto& branch : branches_) {
    if (branch.destination() == nullptr) continue;
    if (decider_ != nullptr) prepared_.push_back(decider_);
    decider_ = &branch;
  }
  bool finished = true;
  if (prepared_.empty()) {
    if (decider_ != nullptr) decider_->commit();
  } else {
    step(TwoPhaseStep::worked);
    prepare_all();
    decide();
    step(TwoPhaseStep::decided);
    finished = finish_all(Prepared::commit);
    step(TwoPhaseStep::finished);
  }
  settle_unused(Outcome::committed);
  return finished ? Together::committed : Together::unfinished;
}

// Branches without a statement have hooks all the same.
void CommitTogether::settle_unused(Outcome outcome) noexcept {
  for (auto& branch : branches_) {
    if (branch.destination() == nullptr) branch.settle(outcome);
  }
}

void CommitTogether::prepare_all() {
  const auto others = std::exchange(prepared_, {});
  name_ = how_.name + "/" + decider_->destination()->route.name + "/" + random_name();
  record_decision(others);
  step(TwoPhaseStep::logged);
  for (auto* branch : others) {
    prepared_.push_back(branch);  // before it is: an answer may be lost
    branch->prepare(part(prepared_.size()));
    step(TwoPhaseStep::prepared);
  }
}

// And has the decider's COMMIT flushed, whatever was set: the others' are, and a decision that a
// crash could take back would be none. The setting ends with the transaction, so that the
// connection stays clean.
void CommitTogether::record_decision(std::span<PhysicalTransaction* const> others) {
  std::set<std::string> routes;
  for (const auto* other : others) routes.insert(other->destination()->route.name);
  std::string behind;  // the name itself, then one for each route
  for (const auto& route : routes) behind += " /" + route;
  const std::array parameters = {Value(std::string_view(name_)), Value(std::string_view(behind))};
  const std::string sql =
      "insert into " + how_.log_table +
      " (name) select $1::text || part from regexp_split_to_table($2::text, ' ') as part "
      "where set_config('synchronous_commit', "
      "replace(current_setting('synchronous_commit'), 'off', 'on'), 'true') <> ''";
  decider_->record({sql, Leaves::nothing}, parameters);
}

void CommitTogether::decide() {
  try {
    return decider_->commit();
  } catch (const Error& error) {
    if (!error.in_doubt()) throw;
    undecided_ = true;
    decider_->release();  // whoever asks may need its place in the pool
    const auto decision =
        decision_of(how_, *decider_->destination()->route.pool, name_, settled_by(), pause_);
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
    all &= prepared_[i]->finish(part(i + 1), end, until, pause_);
    prepared_[i]->settle(end == Prepared::commit ? Outcome::committed : Outcome::rolled_back);
  }
  return all;
}

void CommitTogether::roll_back() noexcept {
  if (undecided_) {
    for (auto* branch : prepared_) branch->settle(Outcome::in_doubt);
    return settle_unused(Outcome::in_doubt);
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
  const auto begin = begin_options(bound, options);
  const Restored<Access> access(bound.access, Access::read_write);
  for (const auto& branch : branches) {
    auto& own = open.emplace_back(begin, deadline, bound.stop);
    const Restored<PhysicalTransaction*> current(bound.current, &own);
    const Restored<Clock::Steady> around(bound.deadline, deadline);
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
  session::CommitTogether end(*options_.two_phase, open, pause_within());
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
