// A two-leg voucher, the same in every benchmark: one row for the voucher, two balances changed and
// read back, two entries. The givers' ids are all below the takers', so that no two deadlock.
#pragma once

#include <cstdint>
#include <random>

namespace carrel::bench {

struct Voucher {
  std::int64_t id;
  std::int64_t giver;
  std::int64_t taker;
  std::int64_t amount;
};

inline constexpr const char* kMemo = "a voucher";

class Vouchers {
 public:
  explicit Vouchers(std::uint64_t seed) : random_(seed) {}

  Voucher next() {
    return {.id = between(1, 9'000'000'000'000'000'000),
            .giver = between(1, 5'000),
            .taker = between(5'001, 10'000),
            .amount = between(1, 100)};
  }

 private:
  std::int64_t between(std::int64_t first, std::int64_t last) {
    return std::uniform_int_distribution<std::int64_t>(first, last)(random_);
  }

  std::mt19937_64 random_;
};

}  // namespace carrel::bench
