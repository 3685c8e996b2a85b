// inspect: what every thread holds at this moment, and which scope it is in.
//
// Use it for a debug page, for tests of your own, and when memory climbs. It stops nobody and reads
// only what the threads have recorded themselves, never a value; so its parts are each right, but
// not all of the same instant.
//
//   const Inspection inspection = inspect();
//   for (const InspectedThread& thread : inspection.threads)
//     std::cout << thread.number << " holds " << thread.entries.size() << " values\n";
//   response.body() = to_json(inspection);  // GET /debug/threads
//
// Threads: from any. Lifetime: the result is a copy. Errors: std::bad_alloc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "carrel/base/clock.h"

namespace carrel {

struct InspectedEntry {
  std::string variable;
  std::string type;
  std::size_t bytes = 0;        // by bytes_of<T>, or the owner's publish_bytes(); else sizeof
  bool outlives_tasks = false;  // declared Lifetime::thread
  // Since the value was made, to 10 ms; set() does not make it younger.
  std::chrono::milliseconds age{};
  // A borrowed<> pointer, reference or shared pointer, and another thread's value of the variable
  // refers to the same object: by intention, or the mistake that gives all threads one object.
  bool shared = false;
};

struct InspectedThread {
  std::uint64_t number = 0;  // Carrel's own, never given twice
  std::string scope = {};    // the innermost scope that it is in; empty outside any
  std::uint32_t depth = 0;   // how many scopes it is in
  std::chrono::nanoseconds scope_age{};
  std::uint32_t capacity = 0;  // entries that the thread's map has room for
  std::uint32_t used = 0;      // entries in use, stale ones included
  std::uint32_t stale = 0;     // entries of dead variables
  std::vector<InspectedEntry> entries = {};
};

struct Inspection {
  std::vector<InspectedThread> threads = {};  // those that hold or held a value, or are in a scope
  std::size_t variables = 0;                  // alive
  std::size_t abandoned = 0;                  // values whose destructor will never run
};

// `clock` is what the scopes' ages are measured with: the one that they were opened with. The ages
// of entries are always those of the system's clock.
[[nodiscard]] Inspection inspect(const Clock& clock = SystemClock::get());

// {"variables":2,"abandoned":0,"threads":[{"thread":1,"scope":"GET /orders","depth":1,
//   "scope_age_us":12,"capacity":16,"used":1,"stale":0,"bytes":32,
//   "entries":[{"variable":"cache","type":"...","bytes":32,"lifetime":"thread","shared":false,
//   "age_ms":4}]}]}
[[nodiscard]] std::string to_json(const Inspection& inspection);

}  // namespace carrel
