#include "carrel/scope/inspect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <clocale>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/metrics.h"
#include "carrel/scope/scope.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;

const InspectedThread* thread_in(const Inspection& inspection, std::string_view scope) {
  const auto found = std::ranges::find(inspection.threads, scope, &InspectedThread::scope);
  return found == inspection.threads.end() ? nullptr : &*found;
}

TEST(Inspect, ShowsWhatEveryThreadHoldsAndWhereItIs) {
  ManualClock clock;
  ThreadLocal<std::string> buffer{{.name = "buffer", .lifetime = Lifetime::thread}};
  ThreadLocal<int> marker{{.name = "marker"}};
  std::latch ready(1);
  std::latch done(1);
  std::jthread worker([&] {
    Scope outer({.name = "outer", .clock = &clock});
    Scope scope({.name = "GET /a-route-with-a-rather-long-name", .clock = &clock});
    buffer.set("text");
    buffer.publish_bytes(1000);
    marker.set(1);
    ready.count_down();
    done.wait();
  });
  ready.wait();
  clock.advance(40ms);
  const Inspection inspection = inspect(clock);
  done.count_down();

  const InspectedThread* const thread =
      thread_in(inspection, "GET /a-route-with-a-rather-long-name");
  ASSERT_NE(thread, nullptr);
  EXPECT_EQ(thread->depth, 2U);
  EXPECT_EQ(thread->scope_age, 40ms);
  EXPECT_GE(thread->capacity, thread->used);
  ASSERT_EQ(thread->entries.size(), 2U);
  EXPECT_EQ(thread->entries[0].variable, "buffer");
  EXPECT_EQ(thread->entries[0].bytes, 1000U);
  EXPECT_TRUE(thread->entries[0].outlives_tasks);
  EXPECT_EQ(thread->entries[1].variable, "marker");
  EXPECT_EQ(thread->entries[1].type, "int");
  EXPECT_FALSE(thread->entries[1].outlives_tasks);
  EXPECT_GE(inspection.variables, 2U);
}

TEST(Inspect, CountsTheEntriesOfDeadVariables) {
  std::latch held(1);
  std::latch asked(1);
  auto dying = std::make_unique<ThreadLocal<int>>(ThreadLocal<int>::Options{.name = "dying"});
  std::jthread worker([&] {
    Scope scope({.name = "holds a dead one"});
    dying->set(1);
    held.count_down();
    asked.wait();
  });
  held.wait();
  dying.reset();
  const Inspection inspection = inspect();
  asked.count_down();
  const InspectedThread* const thread = thread_in(inspection, "holds a dead one");
  ASSERT_NE(thread, nullptr);
  EXPECT_EQ(thread->stale, 1U);
  EXPECT_TRUE(thread->entries.empty()) << "the value itself has died with its variable";
}

TEST(Inspect, FollowsAThreadThroughItsScopes) {
  const auto here = [] {
    const Inspection inspection = inspect();
    std::vector<std::string> scopes;
    for (const InspectedThread& thread : inspection.threads)
      if (!thread.scope.empty()) scopes.push_back(thread.scope);
    return scopes;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(here(), Names{});
  {
    Scope outer({.name = "outer"});
    EXPECT_EQ(here(), Names{"outer"});
    {
      Scope inner({.name = "in"});
      EXPECT_EQ(here(), Names{"in"});
      const scope::OutsideAnyScope outside;
      EXPECT_EQ(here(), Names{});
    }
    EXPECT_EQ(here(), Names{"outer"});
    const auto suspended = Scope::suspended({.name = "suspended"});
    const Scope::Entry entry(*suspended);
    EXPECT_EQ(here(), Names{"suspended"});
  }
  EXPECT_EQ(here(), Names{});
}

TEST(Inspect, ShowsTheScopeThatANativeThreadLocalOpensAtItsThreadsEnd) {
  struct OpensAtTheEnd {
    bool* shown;
    explicit OpensAtTheEnd(bool& to) : shown(&to) {}
    OpensAtTheEnd(const OpensAtTheEnd&) = delete;
    OpensAtTheEnd& operator=(const OpensAtTheEnd&) = delete;
    ~OpensAtTheEnd() {
      const Scope scope({.name = "at the end"});
      *shown = thread_in(inspect(), "at the end") != nullptr;
    }
  };
  bool shown = false;
  std::thread([&] {
    thread_local const OpensAtTheEnd before(shown);
    const Scope scope({.name = "ordinary"});
  }).join();
  EXPECT_TRUE(shown);
  EXPECT_EQ(thread_in(inspect(), "at the end"), nullptr);
}

TEST(Inspect, ForgetsThreadsThatHaveEnded) {
  std::thread([] { Scope scope({.name = "short-lived"}); }).join();
  EXPECT_EQ(thread_in(inspect(), "short-lived"), nullptr);
}

TEST(Inspect, TellsWhenTwoThreadsHoldTheSameObject) {
  const ThreadLocal<borrowed<int*>> same{{.name = "the same for both"}};
  const ThreadLocal<borrowed<int*>> own{{.name = "each its own"}};
  int for_both = 0;
  int here = 0;
  int there = 0;
  same.set(&for_both);
  own.set(&here);
  std::latch ready(1);
  std::latch done(1);
  std::jthread other([&] {
    same.set(&for_both);
    own.set(&there);
    ready.count_down();
    done.wait();
  });
  ready.wait();
  const Inspection inspection = inspect();
  done.count_down();
  std::size_t of_same = 0;
  std::size_t of_own = 0;
  for (const InspectedThread& thread : inspection.threads)
    for (const InspectedEntry& entry : thread.entries) {
      of_same += entry.shared && entry.variable == "the same for both";
      of_own += !entry.shared && entry.variable == "each its own";
    }
  EXPECT_EQ(of_same, 2U);
  EXPECT_EQ(of_own, 2U);
}

TEST(Inspect, CountsTheValuesThatAreAbandoned) {
  struct Resurrected {
    const ThreadLocal<Resurrected>* variable = nullptr;
    ~Resurrected() {
      if (variable != nullptr) variable->get().variable = variable;
    }
  };
  const ThreadLocal<Resurrected> variable{{.name = "resurrected"}};
  const std::size_t before = inspect().abandoned;
  testing::internal::CaptureStderr();
  std::thread([&] { variable.get().variable = &variable; }).join();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("resurrected"), std::string::npos);
  EXPECT_EQ(inspect().abandoned, before + 1);
}

TEST(Inspect, NeverShowsHalfAName) {
  const std::string names[] = {std::string(60, 'a'), "b", std::string(33, 'c'), "dddddddd"};
  std::atomic<bool> stop{false};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed))
        for (const std::string& name : names) const Scope scope({.name = name});
    });
  int seen = 0;
  for (int i = 0; i < 300 || (seen == 0 && i < 100'000); ++i)
    for (const InspectedThread& thread : inspect().threads)
      if (!thread.scope.empty()) {
        ++seen;
        ASSERT_NE(std::ranges::find(names, thread.scope), std::end(names)) << thread.scope;
      }
  stop = true;
  EXPECT_GT(seen, 0);
}

TEST(Inspect, IsWrittenAsJson) {
  Inspection inspection{.variables = 2, .abandoned = 1};
  inspection.threads.push_back({.number = 7,
                                .scope = "GET \"/a\\b\"\n",
                                .depth = 1,
                                .scope_age = 1500us,
                                .capacity = 16,
                                .used = 1,
                                .stale = 0,
                                .entries = {{"cache", "std::string", 32, true, 120ms}}});
  inspection.threads.push_back({.number = 8});
  EXPECT_EQ(
      to_json(inspection),
      R"({"variables":2,"abandoned":1,"threads":[{"thread":7,"scope":"GET \"/a\\b\"\u000a",)"
      R"("depth":1,"scope_age_us":1500,"capacity":16,"used":1,"stale":0,"bytes":32,"entries":)"
      R"([{"variable":"cache","type":"std::string","bytes":32,"lifetime":"thread",)"
      R"("shared":false,"age_ms":120}]},)"
      R"({"thread":8,"scope":"","depth":0,"scope_age_us":0,"capacity":0,"used":0,"stale":0,)"
      R"("bytes":0,"entries":[]}]})");
}

TEST(Metrics, AreWrittenAsPrometheusReadsThem) {
  ManualClock clock;
  ThreadLocal<int> marker{{.name = "mar\"ker"}};
  Boundary boundary({.on_leftover = [](std::span<const Leftover>) {}});
  for (int i = 0; i < 3; ++i)
    boundary.run({.clock = &clock}, [&] {
      clock.advance(50us);
      if (i == 1) marker.set(1);
    });
  boundary.run({.clock = &clock}, [&] { clock.advance(1min); });

  MetricText text;
  collect(boundary, "requests", text);
  EXPECT_EQ(std::move(text).take(),
            R"(# HELP carrel_leftovers_total Thread values that tasks have left behind.
# TYPE carrel_leftovers_total counter
carrel_leftovers_total{boundary="requests",variable="mar\"ker"} 1
# HELP carrel_scope_seconds How long the scopes of tasks were open.
# TYPE carrel_scope_seconds histogram
carrel_scope_seconds_bucket{boundary="requests",le="1e-05"} 0
carrel_scope_seconds_bucket{boundary="requests",le="0.0001"} 3
carrel_scope_seconds_bucket{boundary="requests",le="0.001"} 3
carrel_scope_seconds_bucket{boundary="requests",le="0.01"} 3
carrel_scope_seconds_bucket{boundary="requests",le="0.1"} 3
carrel_scope_seconds_bucket{boundary="requests",le="1"} 3
carrel_scope_seconds_bucket{boundary="requests",le="10"} 3
carrel_scope_seconds_bucket{boundary="requests",le="+Inf"} 4
carrel_scope_seconds_sum{boundary="requests"} 60.00015
carrel_scope_seconds_count{boundary="requests"} 4
# HELP carrel_tasks_total Tasks that have passed the boundary.
# TYPE carrel_tasks_total counter
carrel_tasks_total{boundary="requests"} 4
)");
}

TEST(Metrics, CountTheValuesOfEachVariable) {
  ThreadLocal<int> marker{{.name = "a marker of this test"}};
  marker.set(1);
  std::latch ready(1);
  std::latch done(1);
  std::jthread other([&] {
    marker.set(2);
    ready.count_down();
    done.wait();
  });
  ready.wait();
  MetricText text;
  collect_thread_values(text);
  done.count_down();
  const std::string page = std::move(text).take();
  EXPECT_NE(page.find("carrel_thread_values{variable=\"a marker of this test\"} 2\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find("carrel_thread_value_bytes{variable=\"a marker of this test\"} 8\n"),
            std::string::npos);
}

// A decimal comma, if the machine has a locale with one; as glibc's printf would write it.
class WithDecimalComma {
 public:
  WithDecimalComma() : before_(std::setlocale(LC_NUMERIC, nullptr)) {
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"})
      if (std::setlocale(LC_NUMERIC, name) != nullptr) return;
  }
  WithDecimalComma(const WithDecimalComma&) = delete;
  WithDecimalComma& operator=(const WithDecimalComma&) = delete;
  ~WithDecimalComma() { std::setlocale(LC_NUMERIC, before_.c_str()); }

 private:
  std::string before_;
};

TEST(Metrics, AreWrittenTheSameInEveryLocaleAndToTheLastDigit) {
  const WithDecimalComma locale;
  MetricText text;
  text.gauge({"a", "A."}, {}, 0.5);
  text.counter({"b", "B."}, {}, 1234567.000001);
  EXPECT_EQ(std::move(text).take(),
            "# HELP a A.\n# TYPE a gauge\na 0.5\n"
            "# HELP b B.\n# TYPE b counter\nb 1.234567000001e+06\n");
}

TEST(Metrics, ANameThatIsNotUtf8DoesNotSpoilThePage) {
  // Latin-1, a cut sequence, an overlong one, a surrogate, beyond U+10FFFF; and what is right.
  const std::array<std::pair<std::string_view, std::string_view>, 6> names{{
      {"M\xfcnchen", "M\uFFFDnchen"},
      {"cut \xe2\x82", "cut \uFFFD\uFFFD"},
      {"\xc0\xaf", "\uFFFD\uFFFD"},
      {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"M\u00fcnchen \u20ac \U0001F600", "M\u00fcnchen \u20ac \U0001F600"},
  }};
  for (const auto& [name, expected] : names) {
    MetricText text;
    const std::array<std::pair<std::string_view, std::string_view>, 1> labels{{{"name", name}}};
    text.gauge({"a", "A."}, labels, 1);
    EXPECT_EQ(std::move(text).take(),
              "# HELP a A.\n# TYPE a gauge\na{name=\"" + std::string(expected) + "\"} 1\n");
    Inspection inspection;
    inspection.threads.push_back({.number = 7, .scope = std::string(name)});
    EXPECT_NE(to_json(inspection).find("\"scope\":\"" + std::string(expected) + "\""),
              std::string::npos);
  }
}

}  // namespace
}  // namespace carrel
