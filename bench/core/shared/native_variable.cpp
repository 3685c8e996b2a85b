// Apart from native_shared.cpp: a variable that the compiler sees defined could be reached cheaper.
#include "bench/core/forms.h"

namespace carrel::bench::shared {

extern thread_local constinit Counter native_counter;
thread_local constinit Counter native_counter = 0;

}  // namespace carrel::bench::shared
