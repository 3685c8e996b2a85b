// A library with a copy of Carrel of its own, that goes while threads have been in its scopes.
#include "scope/plugin.h"

#include <gtest/gtest.h>

#include "carrel/scope/scope.h"
#include "local/loaded_plugin.h"
#include "local/worker.h"

namespace carrel {
namespace {

using local::LoadedPlugin;
using local::Worker;

// Comes first: what once stays in memory, stays.
TEST(ScopePlugin, WithACopyThatOpensNoScopeIsUnloaded) {
  LoadedPlugin plugin(CARREL_TEST_PLUGIN);
  auto* const reads =
      plugin.function<decltype(plugin_reads_traceparent)>("plugin_reads_traceparent");
  EXPECT_TRUE(reads("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  plugin.unload();
  EXPECT_FALSE(plugin.is_in_memory()) << "it stays anyway: the next test would show nothing";
}

TEST(ScopePlugin, WithACopyThatHasOpenedAScopeStaysInMemory) {
  LoadedPlugin plugin(CARREL_TEST_PLUGIN);
  auto* const in_scope = plugin.function<decltype(plugin_in_scope)>("plugin_in_scope");
  auto* const threads = plugin.function<decltype(plugin_threads)>("plugin_threads");
  Worker worker;
  worker.call(
      [&] { in_scope([] { EXPECT_EQ(Scope::current(), nullptr) << "no copy, but ours"; }); });
  EXPECT_EQ(threads(), 1);
  plugin.unload();
  ASSERT_TRUE(plugin.is_in_memory());
  worker.end();  // calls into it
  EXPECT_EQ(threads(), 0) << "the thread's end was not seen";
  EXPECT_TRUE(plugin.is_in_memory());  // and closes what it has opened to see that
  EXPECT_TRUE(plugin.is_in_memory()) << "kept by nothing but the thread";
}

}  // namespace
}  // namespace carrel
