#include "carrel/serve_command.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "carrel/base/error.h"
#include "carrel/log.h"
#include "carrel/serve_settings.h"
#include "carrel/start_checks.h"
#include "carrel/stop_signals.h"
#include "ledger/http/service.h"

namespace carrel::program {
namespace {

namespace fs = std::filesystem;

// What the command line gave; the rest comes from the settings file or stays at its default.
struct Arguments {
  std::optional<std::string> config, data, bind, log_level, port_file;
  std::optional<int> port;
  std::optional<std::size_t> workers, queue, io_threads, connections;
  std::optional<std::int64_t> drain_s, request_s;
};

template <class From, class To>
void override_by(const std::optional<From>& given, To& setting) {
  if (given) setting = To(*given);
}

ServeSettings settle(const Arguments& given) {
  ServeSettings settings;
  if (given.config) read_settings_file(*given.config, settings);
  override_by(given.data, settings.data);
  override_by(given.bind, settings.bind);
  override_by(given.log_level, settings.log_level);
  override_by(given.port, settings.port);
  override_by(given.workers, settings.workers);
  override_by(given.queue, settings.queue_max);
  override_by(given.io_threads, settings.io_threads);
  override_by(given.connections, settings.limits.connections_max);
  override_by(given.drain_s, settings.drain_wait_max);
  override_by(given.request_s, settings.request_wait_max);
  return settings;
}

std::string url_of(const ServeSettings& settings, std::uint16_t port) {
  const bool v6 = settings.bind.find(':') != std::string::npos;
  return fmt::format("http://{}:{}", v6 ? "[" + settings.bind + "]" : settings.bind, port);
}

// A file with one line that is there while the service runs. Renamed into place, so that whoever
// waits for it never reads half a line.
class Announcement {
 public:
  Announcement(fs::path file, const std::string& line) : file_(std::move(file)) {
    const fs::path partial = file_.string() + ".partial";
    std::ofstream out(partial, std::ios::trunc);
    out << line << '\n';
    out.close();
    std::error_code error;
    if (out) fs::rename(partial, file_, error);
    if (!out || error) throw Error("serve.file", "cannot write '" + file_.string() + "'");
  }
  Announcement(const Announcement&) = delete;
  Announcement& operator=(const Announcement&) = delete;
  ~Announcement() {
    std::error_code ignored;  // gone already: fine
    fs::remove(file_, ignored);
  }

 private:
  fs::path file_;
};

void print_banner(const std::string& url, const ServeSettings& settings) {
  std::cout << fmt::format(
                   R"(Carrel account service on {0}
Books: consumer and merchant, in {1}. Ctrl-C finishes what is running and stops.

Try, in another terminal:

  curl {0}/v1/accounts -H 'X-Carrel-Book: consumer' \
    --json '{{"party":"alice","subject":"2001","currency":"CNY"}}'

  curl {0}/v1/vouchers -H 'X-Carrel-Book: consumer' -H 'Idempotency-Key: first-credit' \
    --json '{{"kind":"credit","currency":"CNY","legs":[
      {{"account":"house/1002","side":"debit","amount":"10000"}},
      {{"account":"alice/2001","side":"credit","amount":"10000"}}]}}'

  curl {0}/v1/trial-balance -H 'X-Carrel-Book: consumer'

)",
                   url, settings.data.string())
            << std::flush;
}

void serve(const Arguments& given) {
  const ServeSettings settings = settle(given);
  const auto log = make_log(settings.log_level);
  require_loopback(settings.bind);
  require_usable_folder(settings.data);

  StopSignals signals;  // before any thread starts, since threads inherit what is blocked
  ledger::http::ServiceOptions options = settings.service();
  options.server.log = log;
  options.edge.log = log;
  ledger::http::Service service(std::move(options));
  service.start();

  const std::string url = url_of(settings, service.port());
  std::optional<Announcement> port_file;
  if (given.port_file) port_file.emplace(*given.port_file, std::to_string(service.port()));
  const Announcement url_file(settings.data / "carrel.url", url);
  print_banner(url, settings);
  log->info("serving {} from {}", url, fs::absolute(settings.data).string());

  const int signal = signals.wait();
  log->info("{}: finishing what is running, for {} s at most; once more stops at once",
            signal == SIGINT ? "interrupted" : "asked to end", settings.drain_wait_max.count());
  signals.exit_at_next();
  if (!service.drain(SystemClock::get().steady_now() + settings.drain_wait_max))
    log->warn("some requests took longer and were cut off; nothing that was acknowledged is lost");
  log->info("stopped");
}

constexpr const char* kFooter = R"(Examples:
  carrel serve                                 http://127.0.0.1:8080, books in ./data
  carrel serve --data /srv/books --port 9090
  carrel serve --port 0 --port-file port       any free port, written to the file 'port'
  carrel serve --config carrel.toml --log debug

A settings file (docs/reference/carrel-serve.md) can also set limits and the books' rules:
  port = 9090
  [limits]
  connections = 4096
  [rules.consumer.payment_cap]
  tier_one_max = 50000

Ends with 0 after SIGINT or SIGTERM, 1 if it could not start, 2 for a wrong command line.)";

}  // namespace

void add_serve_command(CLI::App& app) {
  auto given = std::make_shared<Arguments>();  // lives as long as the callback that uses it
  CLI::App* command =
      app.add_subcommand("serve", "Run the account service: two books over HTTP, on SQLite");
  command->add_option("--data", given->data,
                      "Folder of the books' files, made if missing [./data]");
  command->add_option("--bind", given->bind, "Loopback address to listen on [127.0.0.1]");
  command->add_option("--port", given->port, "Port to listen on; 0 takes a free one [8080]")
      ->check(CLI::Range(0, 65'535));
  command->add_option("--port-file", given->port_file,
                      "Write the port to this file once requests are served");
  command->add_option("--config", given->config, "Settings in TOML; options given here win");
  command->add_option("--workers", given->workers, "Threads that run requests [16]")
      ->check(CLI::Range(1, 1'000));
  command->add_option("--queue", given->queue, "Requests that may wait for a worker [1024]")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--io-threads", given->io_threads, "Threads that read and write sockets [1]")
      ->check(CLI::Range(1, 64));
  command->add_option("--connections", given->connections, "Connections open at a time [1024]")
      ->check(CLI::Range(1, 100'000));
  command
      ->add_option("--request-seconds", given->request_s,
                   "How long a request may wait for a worker and the books [10]")
      ->check(CLI::Range(1, 3'600));
  command
      ->add_option("--drain-seconds", given->drain_s,
                   "How long requests may still run after Ctrl-C [20]")
      ->check(CLI::Range(0, 3'600));
  command->add_option("--log", given->log_level,
                      "trace, debug (every request), info, warn, error or off [info]");
  command->footer(kFooter);
  command->callback([given] {
    try {
      serve(*given);
    } catch (const Error& error) {
      std::cerr << "carrel serve: " << error.what() << '\n';
      throw CLI::RuntimeError(1);
    }
  });
}

}  // namespace carrel::program
