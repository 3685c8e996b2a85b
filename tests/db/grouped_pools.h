// GroupedPools: a group of `permits_`, and pools in it, all on one server.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "carrel/db/pool_group.h"
#include "db/pool_verbs.h"

namespace carrel::test {

class GroupedPools : public testing::Test {
 protected:
  Pool& add_pool(std::size_t size = 4, Clock* clock = nullptr) {
    return pools_.emplace_back(of_group(size, clock), driver_);
  }
  PoolOptions of_group(std::size_t size, Clock* clock = nullptr) {
    auto of_group = options(size);
    of_group.group = &group();
    if (clock != nullptr) of_group.clock = clock;
    return of_group;
  }
  PoolGroup& group() {
    if (!group_)
      group_.emplace(PoolGroupOptions{.connections_max = permits_, .maintain_every = {}});
    return *group_;
  }

  StubDriver driver_;
  std::size_t permits_ = 2;
  std::optional<PoolGroup> group_;
  std::deque<Pool> pools_;
};

}  // namespace carrel::test
