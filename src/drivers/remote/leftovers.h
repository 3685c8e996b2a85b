// Leftovers: what the statements of a session may have left in it since it was last cleaned.
#pragma once

#include <algorithm>

#include "carrel/db/connection.h"
#include "drivers/remote/statement_text.h"

namespace carrel::remote {

class Leftovers {
 public:
  // Before a statement is sent.
  void note(const StatementText& text, Leaves said) noexcept {
    const auto left = left_by(text, said);
    trusts_ |= left < left_by(text, Leaves::unsaid);
    most_ = std::max(most_, left);
  }
  void note_anything() noexcept { most_ = Leaves::anything; }
  void clear() noexcept {
    most_ = Leaves::nothing;
    trusts_ = false;
  }

  [[nodiscard]] Leaves most() const noexcept { return most_; }
  // Whether it would be more, had not a caller said what the text hides.
  [[nodiscard]] bool trusts_callers() const noexcept { return trusts_; }

 private:
  Leaves most_ = Leaves::nothing;
  bool trusts_ = false;
};

}  // namespace carrel::remote
