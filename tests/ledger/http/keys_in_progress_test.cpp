#include "ledger/http/keys_in_progress.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace carrel::ledger::http {
namespace {

TEST(KeysInProgress, GivesAKeyToOneAtATime) {
  KeysInProgress keys;
  {
    const auto mine = keys.claim(Book::consumer, "k");
    EXPECT_TRUE(mine);
    EXPECT_FALSE(keys.claim(Book::consumer, "k"));
    EXPECT_TRUE(keys.claim(Book::merchant, "k"));
    EXPECT_TRUE(keys.claim(Book::consumer, "k2"));
  }
  EXPECT_EQ(keys.size(), 0u);
  EXPECT_TRUE(keys.claim(Book::consumer, "k"));
}

TEST(KeysInProgress, NeverHasTwoHolders) {
  KeysInProgress keys;
  std::atomic<int> holders{0};
  std::atomic<int> together{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i)
        if (const auto claim = keys.claim(Book::consumer, "hot")) {
          if (holders.fetch_add(1) > 0) ++together;
          --holders;
        }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, 0);
  EXPECT_EQ(keys.size(), 0u);
}

}  // namespace
}  // namespace carrel::ledger::http
