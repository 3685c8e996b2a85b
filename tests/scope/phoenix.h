// Phoenix: a leftover that no audit gets rid of.
#pragma once

#include <utility>

#include "carrel/local/thread_local.h"

namespace carrel {

// A value whose destructor sets its variable again, while `again` lasts.
struct Phoenix {
  const ThreadLocal<Phoenix>* variable = nullptr;
  const bool* again = nullptr;

  Phoenix() = default;
  Phoenix(const ThreadLocal<Phoenix>& of, const bool& lasts) : variable(&of), again(&lasts) {}
  Phoenix(Phoenix&& other) noexcept
      : variable(std::exchange(other.variable, nullptr)), again(other.again) {}
  Phoenix& operator=(Phoenix&&) = delete;
  ~Phoenix() {
    if (variable != nullptr && *again) variable->set(Phoenix(*variable, *again));
  }
};

}  // namespace carrel
