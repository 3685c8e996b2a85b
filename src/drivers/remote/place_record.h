// PlaceRecord: where a session is to run statements (Connection::set_place), and what is known of
// where it is.
//
//   record.want(place);
//   if (record.pending()) {
//     send(commands_for(record.wanted()));
//     record.sent();                           // from here on nobody knows
//     if (they_hold) record.kept();            // not before COMMIT, where ROLLBACK takes them back
//   }
//
// Threads: as its connection, one at a time.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "carrel/db/connection.h"

namespace carrel::remote {

class PlaceRecord {
 public:
  enum class Lasts {
    session,      // until it is changed
    transaction,  // the server takes it back by itself, at the end of the transaction
  };

  explicit PlaceRecord(Lasts lasts = Lasts::session) : lasts_(lasts) {}

  [[nodiscard]] const Place& wanted() const noexcept { return wanted_; }
  // The session has to be told before anything else.
  [[nodiscard]] bool pending() const noexcept { return pending_; }
  // It has been told, in a transaction that may yet be rolled back.
  [[nodiscard]] bool unsettled() const noexcept { return unsettled_; }
  // Anywhere but where the session started, or wanted there.
  [[nodiscard]] bool away() const noexcept { return away_; }
  [[nodiscard]] Lasts lasts() const noexcept { return lasts_; }
  // Where the session is; null: nobody knows, so that it will be told before anything else.
  [[nodiscard]] const Place* known() const noexcept { return actual_ ? &*actual_ : nullptr; }

  void want(const Place& place) {
    if (place.schema != wanted_.schema) space_ = space_of(place.schema);
    wanted_ = place;
    compare();
  }
  // A statement that may have changed it has run.
  void forget() noexcept { actual_.reset(); }

  void sent() noexcept {
    actual_.reset();
    pending_ = false;
    unsettled_ = true;
  }
  void kept() { settle(lasts_ == Lasts::session ? std::optional(wanted_) : Place()); }
  void undone() { settle(lasts_ == Lasts::session ? std::nullopt : std::optional(Place())); }

  // For the next borrower, who wants nothing yet.
  void want_none() { want({}); }
  // The session is as it started.
  void came_home() {
    actual_.emplace();
    unsettled_ = false;
    want({});
  }

  // A number for the wanted schema, by which prepared statements are told apart: one text means
  // other tables elsewhere.
  [[nodiscard]] std::size_t space() const noexcept { return space_; }

 private:
  void compare() {
    pending_ = actual_ != wanted_;
    away_ = pending_ || wanted_ != Place();
  }
  void settle(std::optional<Place> actual) {
    if (!std::exchange(unsettled_, false)) return;
    actual_ = std::move(actual);
    compare();
  }
  std::size_t space_of(const std::string& schema) {
    if (schema.empty()) return 0;
    return spaces_.try_emplace(schema, spaces_.size() + 1).first->second;
  }

  const Lasts lasts_;
  Place wanted_;
  std::optional<Place> actual_{std::in_place};  // nothing: unknown
  bool pending_ = false;
  bool unsettled_ = false;
  bool away_ = false;
  std::size_t space_ = 0;
  std::map<std::string, std::size_t> spaces_;
};

}  // namespace carrel::remote
