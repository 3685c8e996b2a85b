// What a value occupies, as its type tells it: bytes_of<T>.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/inspect.h"

namespace {

struct Glyphs {
  std::vector<char> pixels;
};
// Just some bits, which are made in another way.
struct Handle {
  int number = 0;
};
struct Curious {
  int number = 0;
};
struct MoveOnly {
  explicit MoveOnly(std::size_t count) : number(std::make_unique<std::size_t>(count)) {}
  std::unique_ptr<std::size_t> number;
};

std::atomic<int> asked = 0;
std::thread::id asked_on;
std::size_t (*asked_more)() = nullptr;

}  // namespace

template <>
struct carrel::bytes_of<Glyphs> {
  std::size_t operator()(const Glyphs& glyphs) const noexcept {
    ++asked;
    asked_on = std::this_thread::get_id();
    return sizeof(glyphs) + glyphs.pixels.size();
  }
};
template <>
struct carrel::bytes_of<Handle> {
  std::size_t operator()(Handle handle) const noexcept {
    return static_cast<std::size_t>(handle.number) * 1000;
  }
};
template <>
struct carrel::bytes_of<Curious> {
  std::size_t operator()(const Curious&) const noexcept { return asked_more(); }
};
template <>
struct carrel::bytes_of<MoveOnly> {
  std::size_t operator()(const MoveOnly& value) const noexcept { return *value.number; }
};
template <>
struct carrel::bytes_of<std::string> {
  std::size_t operator()(const std::string& text) const noexcept { return text.size(); }
};

namespace carrel {
namespace {

// What inspect() says of this process's values of the variable, all threads together.
std::size_t inspected_bytes(std::string_view variable) {
  std::size_t bytes = 0;
  for (const InspectedThread& thread : inspect().threads)
    for (const InspectedEntry& entry : thread.entries)
      if (entry.variable == variable) bytes += entry.bytes;
  return bytes;
}

Glyphs of_size(std::size_t bytes) {
  return Glyphs{std::vector<char>(bytes)};
}

TEST(Bytes, AreAskedOfTheTypeWheneverAValueIsMadeOrSet) {
  const ThreadLocal<Glyphs> glyphs{{.name = "glyphs", .initial = [] { return of_size(10); }}};
  const auto held = [&] { return inspected_bytes("glyphs") - sizeof(Glyphs); };
  glyphs.get();
  EXPECT_EQ(held(), 10U) << "the initial value";
  glyphs.set(of_size(20));
  EXPECT_EQ(held(), 20U);
  {
    const auto bound = glyphs.bind(of_size(30));
    EXPECT_EQ(held(), 30U);
  }
  EXPECT_EQ(held(), 20U) << "what the guard has restored";
  {
    const auto bound = glyphs.bind(of_size(30));
    glyphs.remove();
  }
  EXPECT_EQ(held(), 20U) << "and what it has made anew";
  glyphs.remove();
  {
    const auto bound = glyphs.bind(of_size(40));
    EXPECT_EQ(held(), 40U) << "where there was none";
  }
  glyphs.set(of_size(50));
  EXPECT_EQ(held(), 50U) << "the first one, by set()";
  EXPECT_EQ(glyphs.statistics().bytes, sizeof(Glyphs) + 50);
}

TEST(Bytes, OfWhatChangesInPlaceArePublished) {
  const ThreadLocal<Glyphs> glyphs{{.name = "in place"}};
  glyphs.get().pixels.resize(1000);
  EXPECT_EQ(inspected_bytes("in place"), sizeof(Glyphs));
  glyphs.publish_bytes(bytes_of<Glyphs>()(glyphs.get()));
  EXPECT_EQ(inspected_bytes("in place"), sizeof(Glyphs) + 1000);
  glyphs.set(of_size(7));
  EXPECT_EQ(inspected_bytes("in place"), sizeof(Glyphs) + 7) << "a new value speaks for itself";
}

TEST(Bytes, AreAskedOnTheOwnersThreadOnly) {
  const ThreadLocal<Glyphs> glyphs{{.name = "elsewhere"}};
  std::latch ready(1);
  std::latch done(1);
  std::thread owner([&] {
    glyphs.set(of_size(5));
    ready.count_down();
    done.wait();
  });
  ready.wait();
  EXPECT_EQ(asked_on, owner.get_id());
  const int before = asked;
  EXPECT_EQ(inspected_bytes("elsewhere"), sizeof(Glyphs) + 5);
  EXPECT_EQ(glyphs.statistics().bytes, sizeof(Glyphs) + 5);
  EXPECT_EQ(asked, before) << "inspection reads what the owner has recorded";
  done.count_down();
  owner.join();
}

TEST(Bytes, AreInTheReportOfALeftover) {
  const ThreadLocal<Glyphs> glyphs{{.name = "left"}};
  std::size_t reported = 0;
  Boundary boundary({.on_leftover = [&](std::span<const Leftover> found) {
    for (const Leftover& leftover : found) reported += leftover.bytes;
  }});
  boundary.run({}, [&] { glyphs.set(of_size(100)); });
  EXPECT_EQ(reported, sizeof(Glyphs) + 100);
}

TEST(Bytes, AreToldByTypesOfEveryKind) {
  const ThreadLocal<Handle> handle{{.name = "a few bits"}};
  handle.get();
  EXPECT_EQ(inspected_bytes("a few bits"), 0U);
  handle.set(Handle{3});
  EXPECT_EQ(inspected_bytes("a few bits"), 3000U);
  handle.remove();
  handle.set(Handle{4});
  EXPECT_EQ(inspected_bytes("a few bits"), 4000U);

  const ThreadLocal<MoveOnly> moved{{.name = "moves", .initial = [] { return MoveOnly(1); }}};
  moved.set(MoveOnly(17));
  EXPECT_EQ(inspected_bytes("moves"), 17U);
  moved.set(MoveOnly(18));
  EXPECT_EQ(inspected_bytes("moves"), 18U);

  const ThreadLocal<const std::string> constant{
      {.name = "constant", .initial = [] { return std::string("five!"); }}};
  constant.get();
  EXPECT_EQ(inspected_bytes("constant"), 5U);
  constant.set(std::string("three"));
  EXPECT_EQ(inspected_bytes("constant"), 5U);

  static constinit StaticThreadLocal<Handle> fixed{"at namespace scope"};
  fixed.set(Handle{2});
  EXPECT_EQ(inspected_bytes("at namespace scope"), 2000U);
  fixed.remove();
}

TEST(Bytes, AreSizeofWhereTheTypeTellsNothing) {
  const ThreadLocal<std::vector<int>> untold{{.name = "untold"}};
  untold.set(std::vector<int>(100));
  EXPECT_EQ(inspected_bytes("untold"), sizeof(std::vector<int>));
  untold.publish_bytes(400);
  untold.set(std::vector<int>(1));
  EXPECT_EQ(inspected_bytes("untold"), 400U) << "nobody has said otherwise";
  untold.remove();
  untold.get();
  EXPECT_EQ(inspected_bytes("untold"), sizeof(std::vector<int>)) << "a new value";
}

TEST(Bytes, MayBeReckonedByUsingTheMap) {
  static const ThreadLocal<Curious>* variable = nullptr;
  static const ThreadLocal<int>* others = nullptr;
  const ThreadLocal<Curious> curious{{.name = "curious"}};
  std::vector<std::unique_ptr<ThreadLocal<int>>> many;
  for (int i = 0; i < 100; ++i) many.push_back(std::make_unique<ThreadLocal<int>>());
  others = many.front().get();
  variable = &curious;
  asked_more = [] {
    const bool first = others->peek() == nullptr;
    others->set(1);
    // It may even make the value that is being made: that one stands.
    if (first) variable->set(Curious{7});
    return std::size_t{11};
  };
  EXPECT_EQ(curious.set(Curious{3}).number, 7);
  EXPECT_EQ(curious.get().number, 7);
  EXPECT_EQ(inspected_bytes("curious"), 11U);
  EXPECT_EQ(curious.statistics().values, 1U);
}

TEST(Bytes, AreNotAskedOfAValueThatCouldNotBeMade) {
  const ThreadLocal<Glyphs> glyphs{
      {.name = "fails", .initial = []() -> Glyphs { throw std::runtime_error("no"); }}};
  const int before = asked;
  EXPECT_THROW(glyphs.get(), std::runtime_error);
  EXPECT_EQ(asked, before);
  EXPECT_EQ(glyphs.peek(), nullptr);
}

}  // namespace
}  // namespace carrel
