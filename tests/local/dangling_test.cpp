// What AddressSanitizer tells of a reference that has outlived its value. The memory is not freed
// but kept for the next value, so the library has to say that nobody may touch it.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <thread>

#include "carrel/local/thread_local.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif

namespace carrel {
namespace {

#ifdef SANITIZED
constexpr const char* kReport = "use-after-poison";

TEST(DanglingReferenceDeathTest, ToARemovedValueIsReported) {
  const ThreadLocal<int> variable;
  volatile int& value = variable.get();
  variable.remove();
  EXPECT_DEATH(value = 1, kReport);
}

TEST(DanglingReferenceDeathTest, ToAValueOfADeadVariableIsReported) {
  std::optional<ThreadLocal<std::array<std::uint64_t, 4>>> variable(std::in_place);
  volatile std::uint64_t& last = variable->get()[3];
  variable.reset();
  EXPECT_DEATH(last = 1, kReport);
}

TEST(DanglingReferenceDeathTest, ToAValueOfAnEndedThreadIsReported) {
  const ThreadLocal<int> variable;
  volatile int* value = nullptr;
  std::thread([&] { value = &variable.get(); }).join();
  EXPECT_DEATH(*value = 1, kReport);
}

TEST(DanglingReferenceDeathTest, BehindAValueIsReportedToo) {
  const ThreadLocal<std::array<std::uint64_t, 3>> variable;  // its block has room for five
  const ThreadLocal<std::array<std::uint64_t, 5>> larger;
  larger.get();
  larger.remove();
  volatile std::uint64_t* const value = variable.get().data();
  value[2] = 1;
  EXPECT_DEATH(value[4] = 1, "use-after-poison|heap-buffer-overflow");
}
#endif

TEST(KeptMemory, ServesTheNextValueWhateverItsSize) {
  std::optional<ThreadLocal<std::uint8_t>> small(std::in_place);
  small->set(std::uint8_t{1});
  small.reset();
  const ThreadLocal<std::uint64_t> word;
  word.set(2);
  EXPECT_EQ(word.get(), 2U);
  word.remove();
  EXPECT_EQ(word.get(), 0U);
  std::thread([&] {
    word.set(3);
    EXPECT_EQ(word.get(), 3U);
  }).join();
  std::thread([&] {
    const ThreadLocal<std::array<std::uint8_t, 3>> bytes;
    bytes.get()[2] = 4;
    EXPECT_EQ(bytes.get()[2], 4);
  }).join();
}

}  // namespace
}  // namespace carrel
