// RequestLocal::bind: what its guards restore, and which misuse is found.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "carrel/scope/request_local.h"
#include "scope/witness.h"

namespace carrel {
namespace {

TEST(Bind, LeavesNoValueWhereThereWasNone) {
  const RequestLocal<int> number{"number"};
  Scope scope;
  {
    const auto bound = number.bind(1);
    EXPECT_EQ(number.get(), 1);
  }
  EXPECT_EQ(number.find(), nullptr);
}

TEST(Bind, TheSameVariableTwiceInOneChainRestoresStepByStep) {
  const RequestLocal<int> number{"number"};
  Scope scope;
  number.set(0);
  int& outermost = number.get();
  {
    const auto first = number.bind(1);
    number.set(10);
    {
      const auto second = number.bind(2);
      EXPECT_EQ(number.get(), 2);
    }
    EXPECT_EQ(number.get(), 10);
  }
  EXPECT_EQ(number.get(), 0);
  EXPECT_EQ(&number.get(), &outermost) << "the displaced value was not moved";
}

TEST(Bind, RestoresAlsoWhenTheValueWasRemovedOrMadeAnewMeanwhile) {
  const RequestLocal<int> number{"number"};
  Scope scope;
  number.set(1);
  {
    const auto bound = number.bind(2);
    EXPECT_TRUE(number.remove());
    EXPECT_EQ(number.find(), nullptr);
  }
  EXPECT_EQ(number.get(), 1);
  {
    const auto bound = number.bind(2);
    number.remove();
    number.set(3);
  }
  EXPECT_EQ(number.get(), 1);
}

TEST(Bind, RestoresWhatItFoundAlsoWhenSetHasReplacedWhatWasBound) {
  std::vector<std::string> log;
  const RequestLocal<Witness> variable{"variable"};
  Scope scope;
  {
    const auto bound = variable.bind(Witness(&log, "bound"));
    variable.set(Witness(&log, "replaced it"));
    {
      const auto again = variable.bind(Witness(&log, "again"));
      variable.set(Witness(&log, "replaced again"));
    }
    EXPECT_EQ(variable.get().name, "replaced it");
  }
  EXPECT_EQ(variable.find(), nullptr);
  EXPECT_EQ(log, (std::vector<std::string>{"bound", "again", "replaced again", "replaced it"}));
}

TEST(Bind, RestoresWhenAnExceptionPasses) {
  const RequestLocal<std::string> tenant{"tenant"};
  Scope scope;
  tenant.set("acme");
  EXPECT_THROW(
      {
        const auto bound = tenant.bind("other");
        throw std::runtime_error("out");
      },
      std::runtime_error);
  EXPECT_EQ(tenant.get(), "acme");
}

TEST(Bind, RepeatedForLongTakesNoMoreMemory) {
  const RequestLocal<std::array<char, 200>> block{"block"};
  const RequestLocal<int> other{"other"};
  Scope scope;
  block.set({});
  for (int i = 0; i < 100'000; ++i) {
    const auto bound = block.bind({});
    other.set(i);
    other.remove();
  }
  EXPECT_NE(block.find(), nullptr);  // LeakSanitizer and the arena's free lists are the judges
}

TEST(BindDeathTest, GuardsThatEndInTheWrongOrderAreFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const RequestLocal<int> number{"number"};
        using Bind = RequestLocal<int>::Bind;
        Scope scope;
        std::unique_ptr<Bind> first(new Bind(number.bind(1)));
        std::unique_ptr<Bind> second(new Bind(number.bind(2)));
        first.reset();
      },
      "bind guards of request-local 'number' ended in another order");
}

TEST(BindDeathTest, AGuardThatEndsOnAnotherThreadIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const RequestLocal<int> number{"number"};
        Scope scope;
        std::unique_ptr<RequestLocal<int>::Bind> guard(new RequestLocal<int>::Bind(number.bind(1)));
        std::thread([&] { guard.reset(); }).join();
      },
      "a bind guard of request-local 'number' ended on another thread or outside its scope");
}

TEST(Bind, AGuardInADestroyedFrameRestoresNothing) {
  const RequestLocal<int> number{"number"};
  const auto scope = Scope::suspended();
  std::unique_ptr<RequestLocal<int>::Bind> guard;
  {
    const Scope::Entry entry(*scope);
    number.set(1);
    guard.reset(new RequestLocal<int>::Bind(number.bind(2)));
  }
  guard.reset();
  const Scope::Entry entry(*scope);
  EXPECT_EQ(number.get(), 2);
}

}  // namespace
}  // namespace carrel
