// What a borrower may leave in its session, and a pool in which the next one would find it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "carrel/db/pool.h"

namespace carrel::test {

struct Leftover {
  std::string name;
  std::string sql;
  std::string trace;      // a query that gives a row for as long as it is there
  bool replaced = false;  // the connection, by the pool: nothing else helps
};

inline void PrintTo(const Leftover& leftover, std::ostream* out) {
  *out << leftover.name;
}

// A pool of one connection: whoever borrows next gets what the last one has returned.
class OneConnection {
 public:
  explicit OneConnection(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}

  [[nodiscard]] Pool::Lease borrow() { return pool_.borrow(); }
  // How many times the pool had to open it so far.
  [[nodiscard]] std::uint64_t opened() const { return pool_.stats().created; }

 private:
  std::unique_ptr<Driver> driver_;
  Pool pool_{{.name = "one",
              .size_max = 1,
              .validate_after = std::chrono::hours(1),  // it would count as a round trip
              .maintain_every = {}},
             *driver_};
};

}  // namespace carrel::test
