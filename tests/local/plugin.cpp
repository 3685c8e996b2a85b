// A library that the tests load and unload.
#include "local/plugin.h"

#include <optional>

#include "carrel/local/static_thread_local.h"

namespace {

struct Tracked {
  std::atomic<int>* destroyed = nullptr;
  ~Tracked() {
    if (destroyed != nullptr) ++*destroyed;
  }
};

#ifdef CARREL_PLUGIN_STATIC
constinit carrel::StaticThreadLocal<Tracked> static_variable{"plugin's static"};
constexpr auto* variable = &static_variable;
#else
#ifdef CARREL_PLUGIN_OWNER
constexpr carrel::Reclaim kReclaim = carrel::Reclaim::owner;
#else
constexpr carrel::Reclaim kReclaim = carrel::Reclaim::eager;
#endif
using Variable = carrel::ThreadLocal<Tracked>;
std::optional<Variable> variable{std::in_place,
                                 Variable::Options{.name = "plugin's", .reclaim = kReclaim}};
#endif

}  // namespace

extern "C" void plugin_hold(std::atomic<int>* destroyed) {
  variable->get().destroyed = destroyed;
}

#ifndef CARREL_PLUGIN_STATIC
extern "C" void plugin_end() {
  variable.reset();
}
#endif

extern "C" void plugin_set(const carrel::ThreadLocal<std::string>* hosts) {
  hosts->set("a text from the plug-in, too long for the small buffer");
}
