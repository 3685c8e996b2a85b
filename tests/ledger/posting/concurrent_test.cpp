// Many requests at once on both books, and the checker beside them.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <thread>

#include "ledger/open_books.h"

namespace carrel::ledger {
namespace {

using namespace testing;

constexpr int kParties = 6;

void open_parties(OpenBooks& books) {
  for (const Book book : kBooks)
    for (int i = 0; i < kParties; ++i) {
      const std::string name = "p" + std::to_string(i);
      books.open_account(book, name + "/2001");
      ASSERT_TRUE(
          books.top_up(book, name + "/2001", 1'000, "start" + std::to_string(i)).accepted());
    }
}

std::string party(int i) {
  return "p" + std::to_string(i) + "/2001";
}

std::int64_t sum_of_parties(OpenBooks& books, Book book) {
  std::int64_t sum = 0;
  for (int i = 0; i < kParties; ++i) sum += books.balance(book, party(i));
  return sum;
}

TEST(ConcurrentPosting, LosesNothingAndDoublesNothing) {
  constexpr int kThreads = 4;
  constexpr int kKeys = 60;
  OpenBooks books;
  open_parties(books);
  std::atomic<int> booked{0};
  std::atomic<int> replayed{0};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&] {
        // Every thread sends every key to both books: one books it, the others get its answer.
        for (int i = 0; i < kKeys; ++i) {
          for (const Book book : kBooks) {
            const auto outcome =
                books.post(book, pay(party(i % kParties), party((i + 1) % kParties), 1),
                           "k" + std::to_string(i));
            ASSERT_TRUE(outcome.accepted()) << outcome.refusal().message;
            (outcome->replayed ? replayed : booked).fetch_add(1);
          }
        }
      });
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i)
        for (const Book book : kBooks) EXPECT_EQ(text(books.check(book)), "");
    });
  }
  EXPECT_EQ(booked.load(), 2 * kKeys);
  EXPECT_EQ(replayed.load(), 2 * kKeys * (kThreads - 1));
  for (const Book book : kBooks) {
    EXPECT_EQ(sum_of_parties(books, book), kParties * 1'000);
    EXPECT_EQ(books.count(book, "voucher"), kParties + kKeys);
    EXPECT_EQ(text(books.check(book)), "");
  }
}

TEST(ConcurrentPosting, OpensAnAccountOnce) {
  OpenBooks books;
  std::atomic<int> created{0};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([&] {
        const auto outcome = books.in(Book::merchant, [&] {
          return books.ledger().open_account({.party = "shop", .subject = "2001"});
        });
        ASSERT_TRUE(outcome.accepted());
        if (outcome->created) created.fetch_add(1);
      });
  }
  EXPECT_EQ(created.load(), 1);
}

// Whatever is sent, in whatever order, with whatever is refused: money moves and never changes.
TEST(RandomPosting, PreservesTheMoneyOfABook) {
  OpenBooks books;
  open_parties(books);
  int run = 0;
  const bool preserved = rc::check([&] {
    ++run;
    const Book book = *rc::gen::element(Book::consumer, Book::merchant);
    const std::int64_t before = sum_of_parties(books, book);
    const int steps = *rc::gen::inRange(1, 12);
    for (int step = 0; step < steps; ++step) {
      const int from = *rc::gen::inRange(0, kParties);
      const int to = *rc::gen::inRange(0, kParties);
      const auto outcome = books.post(book, pay(party(from), party(to), *rc::gen::inRange(-5, 900)),
                                      "r" + std::to_string(run) + "-" + std::to_string(step));
      if (!outcome.accepted()) RC_ASSERT(!outcome.refusal().code.empty());
    }
    RC_ASSERT(sum_of_parties(books, book) == before);
    RC_ASSERT(text(books.check(book)) == "");
  });
  EXPECT_TRUE(preserved);
}

}  // namespace
}  // namespace carrel::ledger
