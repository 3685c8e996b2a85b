// Examples of the headers in base/ and local/, word for word.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "carrel/base/assert.h"
#include "carrel/base/clock.h"
#include "carrel/base/ids.h"
#include "carrel/db/pool.h"
#include "carrel/local/concurrent.h"
#include "carrel/local/options.h"
#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"

namespace header_examples {

class Glyphs {
 public:
  [[nodiscard]] std::size_t bytes() const noexcept;
};
class Hits {};
struct Cache {};
Cache load_cache();

}  // namespace header_examples

using namespace carrel;
using namespace header_examples;

template <>
inline constexpr bool carrel::is_concurrent<Hits> = true;

template <>
struct carrel::bytes_of<Glyphs> {
  std::size_t operator()(const Glyphs& glyphs) const noexcept { return glyphs.bytes(); }
};

namespace header_examples {

using namespace std::chrono_literals;

class Keeper {
 public:
  ~Keeper() {
    CARREL_ASSERT(borrowed_ == 0, "pool '" + name_ + "' destroyed with connections on loan");
  }

 private:
  std::size_t borrowed_ = 0;
  std::string name_;
};
Keeper assertion();

void clock_by_hand(Driver& driver) {
  ManualClock clock;
  Pool pool({.idle_max = 30s, .clock = &clock}, driver);
  clock.advance(31s);
}

void id_source() {
  IdSource ids(SystemClock::get());
  const std::int64_t voucher_id = ids.next(/*tag=*/1);
  CARREL_ASSERT(IdSource::tag_of(voucher_id) == 1, "the tag is in the id");
}

constinit StaticThreadLocal<int> depth{"recursion depth"};
constinit StaticThreadLocal<Cache> cache{
    {.name = "glyphs", .initial = &load_cache, .lifetime = Lifetime::thread}};

void thread_local_variable() {
  ThreadLocal<std::string> buffer{{.name = "render buffer", .lifetime = Lifetime::thread}};
  buffer.get() += "text";
  buffer.set("other");
  {
    const auto quoted = buffer.bind("'");
  }
  buffer.remove();
}

}  // namespace header_examples
