// An end takes only the locks of what it holds: every other variable's lock is held here meanwhile,
// so that an end which took one of them would never come back.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "carrel/local/thread_local.h"
#include "local/registry.h"
#include "local/slot.h"
#include "local/worker.h"

namespace carrel::local {
namespace {

bool has_value_of(const Slot& slot, const ThreadBlock* thread) {
  const Cell* cell = slot.holders;
  while (cell != nullptr && cell->owner != thread) cell = cell->next;
  return cell != nullptr;
}

// Holds the locks of all variables in which `thread` has no value.
class OthersLocked {
 public:
  explicit OthersLocked(const ThreadBlock* thread) {
    for (std::uint32_t number = 0; number < slot_table.made(); ++number) {
      Slot& slot = slot_at(number);
      if (has_value_of(slot, thread)) continue;
      slot.lock.lock();
      locked_.push_back(&slot);
    }
  }
  OthersLocked(const OthersLocked&) = delete;
  OthersLocked& operator=(const OthersLocked&) = delete;
  ~OthersLocked() {
    for (Slot* const slot : locked_) slot->lock.unlock();
  }
  [[nodiscard]] std::size_t count() const { return locked_.size(); }

 private:
  std::vector<Slot*> locked_;
};

// A thousand variables, each of which has a value on this thread.
class FewLocks : public testing::Test {
 protected:
  FewLocks() {
    for (int n = 0; n < 1'000; ++n) {
      variables_.push_back(std::make_unique<ThreadLocal<int>>());
      variables_.back()->set(n);
    }
  }
  // Sets `variables` on the worker, and tells which thread that is.
  static const ThreadBlock* set_on(Worker& worker,
                                   const std::vector<ThreadLocal<int>*>& variables) {
    const ThreadBlock* block = nullptr;
    worker.call([&] {
      for (auto* const variable : variables) variable->set(1);
      block = &thread_block;
    });
    return block;
  }

  std::vector<std::unique_ptr<ThreadLocal<int>>> variables_;
};

TEST_F(FewLocks, AThreadEndsWithoutTheLockOfAnyVariableThatItDoesNotHold) {
  Worker ending;
  const auto* const thread =
      set_on(ending, {variables_[3].get(), variables_[500].get(), variables_[999].get()});
  {
    const OthersLocked locked(thread);
    EXPECT_GE(locked.count(), 997U);
    ending.end();
  }
  EXPECT_EQ(variables_[3]->statistics().values, 1U) << "this thread's";
}

TEST_F(FewLocks, AVariableDiesWithoutTheLockOfAnyOther) {
  Worker idle;
  std::optional<ThreadLocal<int>> dying(std::in_place);
  dying->set(1);
  const auto* const thread = set_on(idle, {&*dying});
  {
    const OthersLocked locked(thread);
    EXPECT_GE(locked.count(), 1'000U);
    dying.reset();
  }
  EXPECT_EQ(variables_[3]->get(), 3);
}

}  // namespace
}  // namespace carrel::local
