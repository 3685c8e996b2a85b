// Libraries that come and go while threads hold values, and the end of the process.
#include "local/plugin.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/static_thread_local.h"
#include "local/loaded_plugin.h"
#include "local/worker.h"

namespace carrel {
namespace {

using local::LoadedPlugin;
using local::Worker;

TEST(Plugin, ThatIsUnloadedTakesItsVariablesValuesWithIt) {
  std::atomic<int> destroyed = 0;
  Worker worker;
  LoadedPlugin plugin(CARREL_TEST_PLUGIN);
  auto* const hold = plugin.function<decltype(plugin_hold)>("plugin_hold");
  hold(&destroyed);
  worker.call([&] { hold(&destroyed); });
  plugin.unload();
  EXPECT_FALSE(plugin.is_in_memory()) << "never unloaded: the test would show nothing";
  EXPECT_EQ(destroyed, 2);
  const ThreadLocal<int> other;
  worker.call([&] { other.set(1); });
  worker.end();
  EXPECT_EQ(destroyed, 2);
}

TEST(Plugin, MayGiveValuesToAVariableThatOutlivesIt) {
  const ThreadLocal<std::string> variable;
  Worker worker;
  LoadedPlugin plugin(CARREL_TEST_PLUGIN);
  auto* const set = plugin.function<decltype(plugin_set)>("plugin_set");
  set(&variable);
  worker.call([&] { set(&variable); });
  plugin.unload();
  ASSERT_FALSE(plugin.is_in_memory());
  EXPECT_EQ(variable.get().substr(0, 6), "a text");
  worker.end();  // destroys the value with the host's code
  EXPECT_TRUE(variable.remove());
}

TEST(Plugin, WithAStaticThreadLocalStaysInMemory) {
  std::atomic<int> destroyed = 0;
  Worker worker;
  LoadedPlugin plugin(CARREL_TEST_PLUGIN_STATIC);
  auto* const hold = plugin.function<decltype(plugin_hold)>("plugin_hold");
  worker.call([&] { hold(&destroyed); });
  plugin.unload();
  EXPECT_TRUE(plugin.is_in_memory());
  EXPECT_EQ(destroyed, 0);
  worker.end();
  EXPECT_EQ(destroyed, 1);
}

TEST(Plugin, WithAVariableThatLeavesValuesToTheirOwnersStaysInMemory) {
  std::atomic<int> destroyed = 0;
  Worker worker;
  LoadedPlugin plugin(CARREL_TEST_PLUGIN_OWNER);
  auto* const hold = plugin.function<decltype(plugin_hold)>("plugin_hold");
  worker.call([&] { hold(&destroyed); });
  plugin.function<decltype(plugin_end)>("plugin_end")();
  plugin.unload();
  EXPECT_TRUE(plugin.is_in_memory()) << "the value's destructor is still to run";
  EXPECT_EQ(destroyed, 0);
  worker.end();
  EXPECT_EQ(destroyed, 1);
}

constinit StaticThreadLocal<std::string> running{{.name = "running"}};

TEST(ProcessEndDeathTest, LeavesStaticThreadLocalsToThreadsThatStillRun) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::atomic<int> rounds{0};
        for (int i = 0; i < 3; ++i) {
          std::thread([&rounds] {
            for (;;) {
              running.get() += 'x';
              if (running.get().size() > 100) running.remove();
              ++rounds;
            }
          }).detach();
        }
        running.set("main");
        while (rounds < 1000) std::this_thread::yield();
        std::exit(3);
      },
      testing::ExitedWithCode(3), "");
}

TEST(ProcessEndDeathTest, DestroysTheExitingThreadsValues) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  struct Last {
    bool speaks = false;
    ~Last() {
      if (speaks) std::fputs("destroyed at exit\n", stderr);
    }
  };
  static constinit StaticThreadLocal<Last> last{"last"};
  EXPECT_EXIT(
      {
        last.get().speaks = true;
        std::exit(0);
      },
      testing::ExitedWithCode(0), "destroyed at exit");
}

}  // namespace
}  // namespace carrel
