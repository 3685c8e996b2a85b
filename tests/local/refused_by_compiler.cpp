// What must not compile, one case at a time: -DCASE=n. See CMakeLists.txt for what the compiler is
// expected to say.
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"

struct NoDefault {
  explicit NoDefault(int) {}
};

#if CASE == 0  // compiles: the others fail for their own reason
carrel::ThreadLocal<carrel::borrowed<int*>> variable;
#elif CASE == 1
carrel::ThreadLocal<int*> variable;
#elif CASE == 2
carrel::ThreadLocal<std::shared_ptr<int>> variable;
#elif CASE == 3
carrel::ThreadLocal<std::reference_wrapper<int>> variable;
#elif CASE == 4
carrel::ThreadLocal<NoDefault> variable;
#elif CASE == 5
carrel::ThreadLocal<NoDefault> variable{{.name = "x"}};
#elif CASE == 6
void visit(carrel::ThreadLocal<std::string>& variable) {
  variable.for_each_thread([](std::string&) {});
}
#elif CASE == 7
struct Throws {
  ~Throws() noexcept(false) {}
};
carrel::ThreadLocal<Throws> variable;
#elif CASE == 8
constinit carrel::StaticThreadLocal<NoDefault> variable{{.name = "x"}};
#elif CASE == 9
void copy(carrel::ThreadLocal<int>& variable) {
  carrel::ThreadLocal<int> other(variable);
}
#elif CASE == 10
carrel::ThreadLocal<int&> variable;
#endif
