#include "bench/core/paired.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace carrel::bench {
namespace {

constexpr std::size_t kPairs = 1501;

std::map<std::string, MakeSample>& offered() {
  static std::map<std::string, MakeSample> samples;
  return samples;
}

void measure_pairs(benchmark::State& state, const MakeSample& make, const MakeSample& make_base) {
  Sample sample = make();
  Sample base = make_base();
  std::vector<double> ratios;
  for (auto _ : state) {
    for (std::size_t pair = 0; pair < kPairs; ++pair) {
      double of_sample = 0;
      double of_base = 0;
      if (pair % 2 == 0) of_sample = sample();
      of_base = base();
      if (pair % 2 != 0) of_sample = sample();
      ratios.push_back(of_sample / of_base);
    }
    state.SetIterationTime(1e-9);  // the quotient is the result, not time
  }
  std::sort(ratios.begin(), ratios.end());
  state.counters["median"] = ratios[ratios.size() / 2];
  state.counters["lower"] = ratios[ratios.size() / 4];
  state.counters["upper"] = ratios[ratios.size() * 3 / 4];
}

void add(const std::string& name, const std::string& base) {
  const auto measured = offered().find(name);
  const auto beside = offered().find(base);
  if (measured == offered().end() || beside == offered().end()) return;  // a peer is not here
  benchmark::RegisterBenchmark(("Ratio/" + name + "/over:" + base).c_str(), &measure_pairs,
                               measured->second, beside->second)
      ->UseManualTime()
      ->Iterations(1);
}

}  // namespace

void offer(const std::string& name, MakeSample make) {
  offered()[name] = std::move(make);
}

void register_ratios() {
  for (const std::string form : {"/pointer", "/increment", "/chain"}) {
    add("ThreadLocal_Get" + form, "Native_Get" + form);
    add("ThreadLocalShared_Get" + form, "NativeShared_Get" + form);
    add("RequestLocal_Get" + form, "ThreadLocal_Get" + form);
    add("ThreadLocal_Get_Rotating1000" + form, "Folly_Get_Rotating1000" + form);
  }
  add("ThreadLocal_Set", "ThreadLocal_Get/pointer");
  add("ThreadLocal_InsertRemove/threads:1", "Boost_InsertRemove/threads:1");
  add("ThreadLocal_InsertRemove/threads:2", "ThreadLocal_InsertRemove/threads:1");
  add("ThreadLocal_InsertRemoveApart/threads:2", "ThreadLocal_InsertRemove/threads:1");
  const std::string none = "/variables:0/threads:1";
  add("ThreadLocal_CreateSetDestroy" + none, "Boost_CreateSetDestroy" + none);
  const std::string many = "/variables:10000/threads:64";
  add("ThreadLocal_ThreadExit" + many, "Native_ThreadExit" + many);
}

}  // namespace carrel::bench
