#pragma once

#include <array>
#include <chrono>

#include "carrel/db/value.h"

namespace carrel::test {

// Times that no database's text of a date can tell; the earliest of those to come first.
inline std::array<Timestamp, 4> far_off_times() {
  using namespace std::chrono;
  const Timestamp first = sys_days(year(10'000) / 1 / 1);
  // 65,536 years after 2024, which is 2024 again to whoever keeps 16 bits.
  const Timestamp wrapped = Timestamp(sys_days(year(2'024) / 1 / 1)) +
                            days(65'536 / 400 * 146'097LL) + days(336 * 365 + 82);
  return {first, wrapped, Timestamp::max(), Timestamp::min()};
}

}  // namespace carrel::test
