// Every kind of T that a thread-local may hold.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"
#include "local/values_for_tests.h"

namespace carrel {
namespace {

using local::Farewell;
using local::on_another_thread;

TEST(ValueTypes, AMoveOnlyTypeIsSetByMoving) {
  const ThreadLocal<std::unique_ptr<int>> variable;
  variable.set(std::make_unique<int>(1));
  variable.set(std::make_unique<int>(2));
  EXPECT_EQ(*variable.get(), 2);
}

struct NoDefault {
  explicit NoDefault(int number) : value(number) {}
  int value;
};

TEST(ValueTypes, ATypeWithoutDefaultConstructorTakesAnInitialValue) {
  const ThreadLocal<NoDefault> variable{{.initial = [] { return NoDefault(3); }}};
  EXPECT_EQ(variable.get().value, 3);
  static_assert(!std::is_default_constructible_v<ThreadLocal<NoDefault>>);
}

TEST(ValueTypes, AConstTypeIsReplacedAndNeverChanged) {
  const ThreadLocal<const std::string> variable{{.initial = [] { return std::string("initial"); }}};
  static_assert(std::is_same_v<decltype(variable.get()), const std::string&>);
  EXPECT_EQ(variable.get(), "initial");
  variable.set("set");
  EXPECT_EQ(variable.get(), "set");
}

struct Fixed {
  explicit Fixed(int number) : value(number) {}
  Fixed(const Fixed&) = default;
  Fixed& operator=(const Fixed&) = delete;
  int value;
};

TEST(ValueTypes, ATypeThatCannotBeAssignedIsReplaced) {
  const ThreadLocal<Fixed> variable{{.initial = [] { return Fixed(1); }}};
  EXPECT_EQ(variable.get().value, 1);
  variable.set(Fixed(2));
  EXPECT_EQ(variable.get().value, 2);
}

struct alignas(256) Wide {
  std::array<std::uint64_t, 4> numbers{};
};

TEST(ValueTypes, AnOverAlignedTypeIsAligned) {
  const ThreadLocal<Wide> variable;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&variable.get()) % alignof(Wide), 0U);
    on_another_thread(
        [&] { EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&variable.get()) % alignof(Wide), 0U); });
    variable.remove();
  }
}

TEST(ValueTypes, ALargeTypeWorksAsASmallOne) {
  const ThreadLocal<std::array<char, 100'000>> variable;
  for (int i = 0; i < 5; ++i) {
    variable.get()[99'999] = 'x';
    EXPECT_EQ(variable.get()[99'999], 'x');
    variable.remove();
  }
}

TEST(ValueTypes, ATypeThatNeitherCopiesNorMovesIsMadeInPlace) {
  const ThreadLocal<std::atomic<int>> variable;
  ++variable.get();
  EXPECT_EQ(variable.get(), 1);
  variable.set(5);
  EXPECT_EQ(variable.get(), 5);
}

struct Throwing {
  Throwing() = default;
  Throwing(const Throwing& other) : armed(other.armed), number(other.number) { fire(); }
  Throwing& operator=(const Throwing& other) {
    other.fire();
    armed = other.armed;
    number = other.number;
    return *this;
  }
  void fire() const {
    if (armed) throw std::runtime_error("copy");
  }
  bool armed = false;
  int number = 0;
};

TEST(ValueTypes, AThrowingAssignmentLeavesTheValueAsItsTypeSays) {
  const ThreadLocal<Throwing> variable;
  variable.get().number = 1;
  Throwing bad;
  bad.armed = true;
  bad.number = 2;
  EXPECT_THROW(variable.set(bad), std::runtime_error);
  EXPECT_EQ(variable.get().number, 1);
}

TEST(ValueTypes, AThrowingConstructionLeavesNoValue) {
  const ThreadLocal<Throwing> variable;
  Throwing bad;
  bad.armed = true;
  EXPECT_THROW(variable.set(bad), std::runtime_error);
  EXPECT_EQ(variable.peek(), nullptr);
  EXPECT_EQ(local::thread_block.map.count(), 0U);
  variable.set(Throwing{});
  EXPECT_NE(variable.peek(), nullptr);
}

TEST(ValueTypes, AThrowingBindLeavesWhatWasThere) {
  const ThreadLocal<Throwing> variable;
  variable.get().number = 1;
  Throwing bad;
  bad.armed = true;
  EXPECT_THROW(static_cast<void>(variable.bind(bad)), std::runtime_error);
  EXPECT_EQ(variable.get().number, 1);
}

TEST(ValueTypes, APointerIsHeldWhereItIsDeclaredBorrowed) {
  int one = 1;
  const ThreadLocal<borrowed<int*>> variable;
  static_assert(std::is_same_v<decltype(variable)::value_type, int*>);
  static_assert(OwnOrBorrowed<int> && OwnOrBorrowed<borrowed<int*>> && !OwnOrBorrowed<int*> &&
                !OwnOrBorrowed<int* const> && !OwnOrBorrowed<std::shared_ptr<int>>);
  EXPECT_EQ(variable.get(), nullptr);
  variable.set(&one);
  EXPECT_EQ(variable.get(), &one);
}

TEST(ValueTypes, TheSizeThatCountsIsWhatTheOwnerLastPublished) {
  const ThreadLocal<std::string> variable;
  variable.get();
  EXPECT_EQ(variable.statistics().bytes, sizeof(std::string));
  variable.publish_bytes(1000);
  EXPECT_EQ(variable.statistics().bytes, 1000U);
}

TEST(ValueTypes, ARemovedValuesCellIsCountedAsIdleUntilTheNextValue) {
  const ThreadLocal<int> variable;
  EXPECT_EQ(variable.statistics().idle_cells, 0U);
  variable.set(1);
  variable.remove();
  EXPECT_EQ(variable.statistics().idle_cells, 1U);
  EXPECT_EQ(variable.statistics().values, 0U);
  variable.set(2);
  EXPECT_EQ(variable.statistics().idle_cells, 0U);
  EXPECT_EQ(variable.statistics().values, 1U);
}

TEST(ValueTypes, AVariableKnowsItsName) {
  const ThreadLocal<int> named{{.name = "a name"}};
  const ThreadLocal<int> nameless;
  EXPECT_EQ(named.name(), "a name");
  EXPECT_EQ(nameless.name(), "");
}

constinit StaticThreadLocal<std::string> greeting{
    {.name = "greeting", .initial = [] { return std::string("hello"); }}};
static_assert(std::is_trivially_destructible_v<decltype(greeting)>);

TEST(StaticThreadLocal, BehavesAsAThreadLocal) {
  EXPECT_EQ(greeting.peek(), nullptr);
  EXPECT_FALSE(greeting.remove());
  EXPECT_EQ(greeting.get(), "hello");
  greeting.set("bye");
  on_another_thread([] { EXPECT_EQ(greeting.get(), "hello"); });
  {
    const auto bound = greeting.bind("bound");
    EXPECT_EQ(greeting.get(), "bound");
  }
  EXPECT_EQ(greeting.take(), "bye");
  EXPECT_EQ(greeting.peek(), nullptr);
  EXPECT_EQ(greeting.name(), "greeting");
}

constinit StaticThreadLocal<int> raced{"raced"};

TEST(StaticThreadLocal, ManyThreadsMayUseItFirstAtTheSameTime) {
  const std::size_t before = local::process_figures().variables;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([i] {
      raced.set(i);
      EXPECT_EQ(raced.get(), i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(local::process_figures().variables, before + 1);
}

TEST(StaticThreadLocal, ValuesDieWithTheirThread) {
  static constinit StaticThreadLocal<Farewell> variable{"farewell"};
  int destroyed = 0;
  on_another_thread([&] { variable.set(Farewell([&] { ++destroyed; })); });
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace carrel
