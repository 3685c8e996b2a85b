// What must not compile, one case at a time: -DCASE=n. See CMakeLists.txt for what the compiler is
// expected to say.
#include <memory>
#include <string>

#include "carrel/local/thread_local.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"

using MoveOnly = std::unique_ptr<int>;

#if CASE == 0  // stands for the others: what they leave out compiles
carrel::RequestLocal<MoveOnly> variable{"x"};
carrel::RequestLocal<MoveOnly, carrel::Flow::share> shared{"x"};
void run() {
  carrel::Snapshot::capture().wrap([] {})();
  carrel::jthread_in_scope([] {}).join();
}
#elif CASE == 1
carrel::RequestLocal<MoveOnly, carrel::Flow::copy> variable{"x"};
#elif CASE == 2
auto wrapped = carrel::Snapshot().wrap(carrel::Snapshot().wrap([] {}));
#elif CASE == 3
void start() {
  carrel::jthread_in_scope(carrel::Snapshot().wrap([] {}));
}
#elif CASE == 4
void change(carrel::RequestLocal<std::string, carrel::Flow::share>& variable) {
  variable.get() += "others may be reading it";
}
#elif CASE == 5
carrel::RequestLocal<int&> variable{"x"};
#elif CASE == 6
void copy(carrel::RequestLocal<int>& variable) {
  carrel::RequestLocal<int> other(variable);
}
#elif CASE == 7
struct Cache {};
template <>
struct carrel::bytes_of<Cache> {
  std::size_t operator()(const Cache&) const { return 1; }
};
void make(const carrel::ThreadLocal<Cache>& variable) {
  variable.get();
}
#endif
