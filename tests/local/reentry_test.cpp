// What comes of using thread-locals within initialisers, destructors and bind guards.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/local/thread_local.h"
#include "local/values_for_tests.h"

namespace carrel {
namespace {

using local::Farewell;

TEST(Reentry, AnInitialiserThatReadsItsOwnVariableIsRefused) {
  std::unique_ptr<ThreadLocal<int>> variable;
  variable = std::make_unique<ThreadLocal<int>>(
      ThreadLocalOptions<int>{.name = "circular", .initial = [&] { return variable->get() + 1; }});
  try {
    variable->get();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "recursive_initialiser");
    EXPECT_NE(std::string(error.what()).find("circular"), std::string::npos);
  }
  EXPECT_EQ(variable->peek(), nullptr);
}

TEST(Reentry, AValueThatTheInitialiserSetsItselfStays) {
  std::unique_ptr<ThreadLocal<int>> variable;
  int* reference = nullptr;
  variable = std::make_unique<ThreadLocal<int>>(ThreadLocalOptions<int>{.initial = [&] {
    reference = &variable->set(5);
    return 6;
  }});
  EXPECT_EQ(variable->get(), 5);
  EXPECT_EQ(&variable->get(), reference);
}

TEST(Reentry, AnInitialiserMayUseAndMakeOtherVariables) {
  std::vector<std::unique_ptr<ThreadLocal<int>>> others;
  const ThreadLocal<int> variable{{.initial = [&] {
    for (int i = 0; i < 100; ++i) {
      others.push_back(std::make_unique<ThreadLocal<int>>());
      others.back()->set(i);
    }
    return others[50]->get();
  }}};
  EXPECT_EQ(variable.get(), 50);
}

// Says its last words once, wherever it has been moved to. Not assignable: set() moves it away.
struct Unassignable {
  explicit Unassignable(std::function<void()> words = {}) : last_words(std::move(words)) {}
  Unassignable(Unassignable&& other) noexcept : last_words(std::exchange(other.last_words, {})) {}
  Unassignable& operator=(Unassignable&&) = delete;
  ~Unassignable() {
    if (last_words) last_words();
  }
  std::function<void()> last_words;
};

TEST(Reentry, WhatSetHasReplacedFindsTheNewValueInItsDestructor) {
  const ThreadLocal<Unassignable> variable;
  int died = 0;
  variable.set(Unassignable([&] {
    ++died;
    ASSERT_NE(variable.peek(), nullptr);
    EXPECT_EQ(variable.peek()->last_words, nullptr) << "the dying one";
  }));
  variable.set(Unassignable());
  EXPECT_EQ(died, 1);
}

TEST(Reentry, WhatSetHasReplacedMayRemoveTheNewValueInItsDestructor) {
  const ThreadLocal<Unassignable> variable;
  const ThreadLocal<std::uint64_t> other;
  int died = 0;
  variable.set(Unassignable([&] {
    ++died;
    variable.remove();
    other.set(7);  // into the memory that this has freed
  }));
  variable.set(Unassignable());
  EXPECT_EQ(died, 1);
  EXPECT_EQ(variable.peek(), nullptr) << "the destructor had the last word";
  EXPECT_EQ(other.get(), 7U);
}

// No thread keeps memory of this size: to write there afterwards is found by AddressSanitizer.
struct Large {
  explicit Large(std::function<void()> words = {}) : held(std::move(words)) {}
  Large(Large&& other) noexcept : held(std::exchange(other.held, {})) {}
  Large& operator=(Large&& other) noexcept {
    const Unassignable dies_at_the_end(std::exchange(held, std::move(other.held)));
    return *this;
  }
  ~Large() {
    if (held) held();
  }
  std::function<void()> held;
  std::array<char, 65'536> rest{};
};

TEST(Reentry, WhatAnAssignmentDestroysMayRemoveTheNewValue) {
  const ThreadLocal<Large> variable;
  int died = 0;
  variable.set(Large([&] {
    ++died;
    variable.remove();
  }));
  variable.set(Large());
  EXPECT_EQ(died, 1);
  EXPECT_EQ(variable.peek(), nullptr);
}

TEST(Reentry, WhatABindGuardEndsMayRemoveTheValueThatIsThereAgain) {
  const ThreadLocal<Large> variable;
  variable.set(Large());
  int died = 0;
  {
    const auto guard = variable.bind(Large([&] {
      ++died;
      variable.remove();
    }));
  }
  EXPECT_EQ(died, 1);
  EXPECT_EQ(variable.peek(), nullptr);
}

TEST(Reentry, AThrowingInitialiserLeavesTheMapAsItWas) {
  bool fails = true;
  const ThreadLocal<std::string> variable{{.initial = [&]() -> std::string {
    if (fails) throw std::runtime_error("not yet");
    return "made";
  }}};
  const std::uint32_t count = local::thread_block.map.count();
  EXPECT_THROW(variable.get(), std::runtime_error);
  EXPECT_EQ(local::thread_block.map.count(), count);
  EXPECT_EQ(variable.peek(), nullptr);
  fails = false;
  EXPECT_EQ(variable.get(), "made");
}

TEST(Reentry, ADestructorThatRemoveCallsSeesNoValueAndMaySetOne) {
  const ThreadLocal<Farewell> variable;
  bool was_there = true;
  variable.set(Farewell([&] {
    was_there = variable.peek() != nullptr;
    variable.set(Farewell());
  }));
  variable.remove();
  EXPECT_FALSE(was_there);
  EXPECT_NE(variable.peek(), nullptr);
}

// A variable whose initialiser sets it itself, so that what the initialiser returns is dropped. The
// thread holds a cell of it, empty and linked, which the dropped value is made in.
class DropsWhatItMakes {
 public:
  explicit DropsWhatItMakes(const std::function<void()>& when_dropped) {
    variable_.emplace(ThreadLocalOptions<Farewell>{.initial = [this, when_dropped] {
      variable_->set(Farewell());
      return Farewell(when_dropped);
    }});
    variable_->set(Farewell());
    variable_->remove();
  }
  void get() { variable_->get(); }
  void remove() { variable_->remove(); }
  void destroy_variable() { variable_.reset(); }

 private:
  std::optional<ThreadLocal<Farewell>> variable_;
};

TEST(Reentry, ADroppedValueMayDestroyItsVariable) {
  local::on_another_thread([] {
    std::optional<DropsWhatItMakes> owner;
    owner.emplace([&] { owner->destroy_variable(); });
    owner->get();
    EXPECT_EQ(local::thread_block.map.count(), 0U);
    // A cell that had come back twice would serve two variables.
    const ThreadLocal<Farewell> one;
    const ThreadLocal<Farewell> two;
    EXPECT_NE(&one.set(Farewell()), &two.set(Farewell()));
  });
}

TEST(Reentry, ADroppedValueLeavesItsCellToTheNextOne) {
  int dropped = 0;
  DropsWhatItMakes owner([&] { ++dropped; });
  for (int i = 0; i < 3; ++i) {
    owner.get();
    owner.remove();
  }
  EXPECT_EQ(dropped, 3);
}

// Guards do not move, but a unique_ptr of one does.
auto bind_on_heap(const ThreadLocal<int>& variable, int value) {
  return std::unique_ptr<Bind<int>>(new Bind<int>(variable.bind(value)));
}

TEST(Guards, OfDifferentVariablesEndInAnyOrder) {
  const ThreadLocal<int> one;
  const ThreadLocal<int> two;
  auto first = bind_on_heap(one, 1);
  auto second = bind_on_heap(two, 2);
  first.reset();
  EXPECT_EQ(one.peek(), nullptr);
  EXPECT_EQ(two.get(), 2);
  second.reset();
  EXPECT_EQ(two.peek(), nullptr);
}

TEST(Guards, RestoreAValueThatWasRemovedMeanwhile) {
  const ThreadLocal<int> variable;
  variable.set(1);
  {
    const auto bound = variable.bind(2);
    variable.remove();
  }
  EXPECT_EQ(variable.get(), 1);
}

TEST(Guards, RestoreNothingOfADeadVariable) {
  auto variable = std::make_unique<ThreadLocal<int>>();
  auto guard = bind_on_heap(*variable, 1);
  variable.reset();
  guard.reset();
  EXPECT_EQ(local::thread_block.map.count(), 0U);
}

TEST(GuardsDeathTest, OfOneVariableThatEndOutOfOrderStopTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const ThreadLocal<int> variable{{.name = "tenant"}};
  EXPECT_DEATH(
      {
        auto outer = bind_on_heap(variable, 1);
        auto inner = bind_on_heap(variable, 2);
        outer.reset();
      },
      "out of order: tenant");
}

TEST(GuardsDeathTest, ThatEndOnAnotherThreadStopTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const ThreadLocal<int> variable{{.name = "tenant"}};
  EXPECT_DEATH(
      {
        auto guard = bind_on_heap(variable, 1);
        std::thread([&] { guard.reset(); }).join();
      },
      "another thread: tenant");
}

}  // namespace
}  // namespace carrel
