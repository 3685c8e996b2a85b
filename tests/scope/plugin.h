// What the test's plug-in offers: it has a copy of Carrel of its own.
#pragma once

extern "C" {
// Uses the copy, and opens no scope.
bool plugin_reads_traceparent(const char* text);
// Calls `f` in a scope of the copy.
void plugin_in_scope(void (*f)());
// How many threads the copy's inspect() knows.
int plugin_threads();
}
