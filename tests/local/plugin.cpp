// A library that the tests load and unload.
#include "local/plugin.h"

#include "carrel/local/static_thread_local.h"

namespace {

struct Tracked {
  std::atomic<int>* destroyed = nullptr;
  ~Tracked() {
    if (destroyed != nullptr) ++*destroyed;
  }
};

#ifdef CARREL_PLUGIN_STATIC
constinit carrel::StaticThreadLocal<Tracked> variable{"plugin's static"};
#else
carrel::ThreadLocal<Tracked> variable{{.name = "plugin's"}};
#endif

}  // namespace

extern "C" void plugin_hold(std::atomic<int>* destroyed) {
  variable.get().destroyed = destroyed;
}

extern "C" void plugin_set(const carrel::ThreadLocal<std::string>* hosts) {
  hosts->set("a text from the plug-in, too long for the small buffer");
}
