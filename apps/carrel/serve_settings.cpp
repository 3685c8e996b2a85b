#include "carrel/serve_settings.h"

namespace carrel::program {

ledger::http::ServiceOptions ServeSettings::service() const {
  return {.server = {.address = bind, .port = port, .io_threads = io_threads, .limits = limits},
          .store = {.folder = data, .readers = readers},
          .ledger = {.rules = rules},
          .edge = {.request_wait_max = request_wait_max},
          .workers = workers,
          .queue_max = queue_max};
}

}  // namespace carrel::program
