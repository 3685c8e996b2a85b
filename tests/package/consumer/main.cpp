#include <cstdio>
#include <stdexcept>

#include "carrel/local/thread_local.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"

int main() {
  carrel::ThreadLocal<int> count;
  count.set(41);
  ++count.get();

  carrel::RequestLocal<int> tenant{"tenant"};
  carrel::Scope scope({.name = "consumer"});
  tenant.set(count.get());
  if (tenant.get() != 42) throw std::logic_error("the installed library does not work");
  std::puts("consumer: ok");
}
