// Two-phase commit over several databases, whose log is written along with one of them.
//
// All branches but the last started one are prepared; the last one's own COMMIT decides, since a
// row of the log is part of it. That row is inserted before anything is prepared. So whoever finds
// a prepared transaction can tell its fate for certain by inserting the same row: the insert waits
// for a decider that is still at it; finds the row, and all is committed; or finds none, and then
// the decider has rolled back and none will ever come, since names are never used twice.
//
// Beside it, "name/route" for each of the others' routes: a decision may be forgotten by who can
// see all of these databases, and by nobody else.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/base/clock.h"
#include "session/physical_transaction.h"

namespace carrel::session {

// Throws "invalid_two_phase" where a name could not become part of a prepared transaction's.
void require_sound(const TwoPhase& how, std::span<const Destination> destinations);

// "name/route of the decider/random": what the log calls a transaction. Its prepared parts have
// "/1" and so on behind it.
struct TogetherName {
  std::string whole;
  std::string route;
  [[nodiscard]] static std::optional<TogetherName> of_prepared(const TwoPhase& how,
                                                               std::string_view prepared);
};

// Asks the decider's log. Nothing where it could not be asked until then, or where what it says is
// not known to be on the replicas.
[[nodiscard]] std::optional<Prepared> decision_of(const TwoPhase& how, Pool& decider,
                                                  std::string_view name, Clock::Steady until,
                                                  const Pause& pause) noexcept;

// The end of the branches, which have done their work.
class CommitTogether {
 public:
  CommitTogether(const TwoPhase& how, std::deque<PhysicalTransaction>& branches, Pause pause)
      : how_(how), branches_(branches), pause_(std::move(pause)) {}

  // Throws: rolled back, once roll_back() has been called; in doubt where in_doubt() says so.
  Together commit();
  // Leaves what is in doubt as it is.
  void roll_back() noexcept;

 private:
  void prepare_all();
  void record_decision(std::span<PhysicalTransaction* const> others);
  void decide();
  bool finish_all(Prepared end) noexcept;
  void settle_unused(Outcome outcome) noexcept;
  [[nodiscard]] std::string part(std::size_t i) const { return name_ + "/" + std::to_string(i); }
  [[nodiscard]] Clock::Steady settled_by() const;
  // noexcept: what was decided must not be rolled back since somebody could not write a log.
  void step(TwoPhaseStep step) const noexcept {
    if (how_.on_step) how_.on_step(step);
  }

  const TwoPhase& how_;
  std::deque<PhysicalTransaction>& branches_;
  const Pause pause_;
  std::vector<PhysicalTransaction*> prepared_;  // or may be
  PhysicalTransaction* decider_ = nullptr;
  std::string name_;
  bool undecided_ = false;  // COMMIT is in doubt: nothing that was prepared may be touched
};

}  // namespace carrel::session
