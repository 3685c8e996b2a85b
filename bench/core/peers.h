// Each registers its benchmarks and, as custom context, the version of what it measures.
#pragma once

namespace carrel::bench {

void register_native();
void register_thread_local();
void register_request_local();
void register_shared_library();
void register_pthread_key();
void register_mutex_map();
void register_boost();
void register_tbb();
void register_folly();

}  // namespace carrel::bench
