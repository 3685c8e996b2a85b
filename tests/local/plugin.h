// What the test's plug-in offers.
#pragma once

#include <atomic>
#include <string>

#include "carrel/local/thread_local.h"

extern "C" {
// Gives this thread a value of the plug-in's own variable, which counts its destruction.
void plugin_hold(std::atomic<int>* destroyed);
// Destroys that variable, if it is none for ever.
void plugin_end();
// Gives this thread a value of the host's variable.
void plugin_set(const carrel::ThreadLocal<std::string>* hosts);
}
