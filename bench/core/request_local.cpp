// carrel::RequestLocal, inside an open scope.
#include "carrel/scope/request_local.h"

#include "bench/core/forms.h"
#include "bench/core/peers.h"
#include "carrel/scope/scope.h"

namespace carrel::bench {
namespace {

struct RequestLocalPeer {
  struct Variable {
    Scope scope{{.name = "benchmark"}};
    RequestLocal<Counter> local{"counter"};
  };
  static Counter* at(Word handle) {
    return &reinterpret_cast<RequestLocal<Counter>*>(handle)->get();
  }
  static Word handle(Variable& variable) { return reinterpret_cast<Word>(&variable.local); }
  static void fill(Variable& variable) { variable.local.set(0); }
};

}  // namespace

void register_request_local() {
  register_forms<RequestLocalPeer>("RequestLocal_Get");
}

}  // namespace carrel::bench
