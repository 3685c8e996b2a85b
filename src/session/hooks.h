// Hooks: what to run around the end of a transaction, in order of registration.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "carrel/session/transaction.h"

namespace carrel::session {

class Hooks {
 public:
  void add_before_commit(std::function<void()> hook);
  void add_after_commit(std::function<void()> hook);
  void add_after_rollback(std::function<void()> hook);
  void add_after_completion(std::function<void(Outcome)> hook);

  // Marks where a savepoint begins, and says that everything since was rolled back with it.
  [[nodiscard]] std::size_t mark() const noexcept { return entries_.size(); }
  void roll_back_since(std::size_t mark) noexcept;

  // Both also run what is added meanwhile.
  void run_before_commit();  // stops at the first that throws
  void run_after(Outcome outcome, const std::function<void(const std::exception&)>& on_error);

 private:
  enum class Kind : std::uint8_t { before_commit, after_commit, after_rollback, after_completion };
  struct Entry {
    Kind kind;
    std::function<void(Outcome)> hook;
    bool rolled_back = false;
  };

  void add(Kind kind, std::function<void()> hook);
  [[nodiscard]] static bool applies(Kind kind, Outcome outcome) noexcept;

  std::vector<Entry> entries_;
};

}  // namespace carrel::session
