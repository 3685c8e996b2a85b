// A library that the test loads and unloads.
#include "scope/plugin.h"

#include "carrel/scope/inspect.h"
#include "carrel/scope/scope.h"

extern "C" bool plugin_reads_traceparent(const char* text) {
  return carrel::TraceContext::parse(text).has_value();
}

extern "C" void plugin_in_scope(void (*f)()) {
  const carrel::Scope scope({.name = "plug-in"});
  f();
}

extern "C" int plugin_threads() {
  return static_cast<int>(carrel::inspect().threads.size());
}
