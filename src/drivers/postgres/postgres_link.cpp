#include "drivers/postgres/postgres_link.h"

#include <poll.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "carrel/db/connection.h"
#include "drivers/remote/resolve.h"

namespace carrel::postgres {
namespace {

// A commit whose wait for replicas is cut short is told by a warning only. Other notices would go
// to stderr; nobody reads them.
void note_unreplicated(void* unreplicated, const PGresult* notice) {
  if (warns_of_replicas(notice)) *static_cast<bool*>(unreplicated) = true;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const auto& part : parts) all += (all.empty() ? "" : ",") + part;
  return all;
}

std::string_view mode_of(PostgresTls tls) noexcept {
  switch (tls) {
    case PostgresTls::off:
      return "disable";
    case PostgresTls::prefer:
      return "prefer";
    case PostgresTls::require:
      return "require";
    case PostgresTls::verify_full:
      return "verify-full";
  }
  return "verify-full";
}

std::map<std::string, std::string> keywords_of(const PostgresOptions& options,
                                               Clock::Steady deadline) {
  std::map<std::string, std::string> keywords = {
      {"host", options.host},
      {"port", std::to_string(options.port)},
      {"dbname", options.database},
      {"user", options.user},
      {"sslmode", std::string(mode_of(options.tls))},
      {"application_name", options.application_name},
      {"client_encoding", "UTF8"},
      // Session defaults, to which RESET ALL comes back: texts of times are read in one format.
      {"options", "-c TimeZone=UTC -c DateStyle=ISO"},
      // A dead peer is noticed within two minutes even by a caller without a deadline.
      {"keepalives_idle", "60"},
      {"keepalives_interval", "15"},
      {"keepalives_count", "4"},
      {"tcp_user_timeout", "120000"},
  };
  if (!options.password.empty()) keywords["password"] = options.password;
  if (!options.tls_root_file.empty()) keywords["sslrootcert"] = options.tls_root_file;
  const auto addresses = remote::resolve(options.host, deadline);
  if (addresses.front() != options.host) {
    keywords["hostaddr"] = joined(addresses);
    keywords["host"] = joined(std::vector(addresses.size(), options.host));
  }
  for (const auto& [keyword, value] : options.parameters) keywords[keyword] = value;
  return keywords;
}

// libpq 15 tells no SQLSTATE of a refused connection but in its verbose text: "FATAL:  28P01: ...".
std::string sqlstate_in(std::string_view words) {
  constexpr std::size_t length = 5;
  for (std::size_t at = words.find(":  "); at != std::string_view::npos;
       at = words.find(":  ", at + 1)) {
    const auto state = words.substr(at + 3, length);
    const bool well_formed = state.size() == length && std::ranges::all_of(state, [](char c) {
                               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                             });
    if (well_formed && words.substr(at + 3 + length).starts_with(": ")) return std::string(state);
  }
  return {};
}

std::string first_line(std::string_view words) {
  return std::string(words.substr(0, words.find('\n')));
}

// Encryption that one side insists on and the other refuses will be refused again; a link that is
// lost amid the handshake need not be.
bool means_refused_tls(std::string_view words) noexcept {
  const auto say = [&](std::string_view part) { return words.find(part) != words.npos; };
  if (say("SSL SYSCALL error") || say("closed unexpectedly") || say("unexpected eof")) return false;
  return say("SSL") || say("certificate");
}

[[noreturn]] void throw_cannot_connect(std::string_view words) {
  const auto sqlstate = sqlstate_in(words);
  const auto message = first_line(words);
  if (!sqlstate.empty()) {
    const auto meaning = meaning_of(sqlstate);
    const bool lost = meaning.code == ErrorCode("sql.connection_lost");
    throw SqlError(
        lost ? ErrorCode("sql.cannot_connect") : meaning.code,
        {.message = message, .sqlstate = sqlstate, .traits = {.retryable = meaning.retryable}});
  }
  throw SqlError("sql.cannot_connect", {.message = message,
                                        .sqlstate = "08001",
                                        .traits = {.retryable = !means_refused_tls(words)}});
}

}  // namespace

Link::Link(const PostgresOptions& options, Clock::Steady deadline) {
  const auto keywords = keywords_of(options, deadline);
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : keywords) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(names.data(), values.data(), /*expand_dbname=*/0));
  if (!connection_) throw SqlError("sql.cannot_connect", {.message = "out of memory"});
  connect(deadline);
  require_suitable_server(options.server_version_min);
  PQsetNoticeReceiver(get(), &note_unreplicated, &unreplicated_);
  PQsetErrorVerbosity(get(), PQERRORS_DEFAULT);
  if (PQsetnonblocking(get(), 1) != 0) throw_cannot_connect(last_words());
}

void Link::connect(Clock::Steady deadline) {
  PQsetErrorVerbosity(get(), PQERRORS_VERBOSE);
  auto state = PGRES_POLLING_WRITING;
  if (PQstatus(get()) == CONNECTION_BAD) state = PGRES_POLLING_FAILED;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (wait(events, deadline).waited == Waited::timed_out) {
      throw SqlError("sql.deadline", {.message = "the server did not answer in time",
                                      .traits = {.retryable = true}});
    }
    state = PQconnectPoll(get());
  }
  if (state == PGRES_POLLING_FAILED) throw_cannot_connect(PQerrorMessage(get()));
}

void Link::require_suitable_server(int version_min) const {
  const int version = PQserverVersion(get());
  if (version >= version_min) return;
  throw SqlError("sql.server_too_old",
                 {.message = "the server is version " + std::to_string(version / 10'000) +
                             ", at least " + std::to_string(version_min / 10'000) + " is needed",
                  .native_code = version});
}

remote::Readiness Link::wait(short events, Clock::Steady deadline) const noexcept {
  return remote::wait_for(PQsocket(get()), events, deadline);
}

bool Link::consume() noexcept {
  if (PQconsumeInput(get()) == 1) return true;
  lost_ = true;
  return false;
}

Waited Link::flush(Clock::Steady deadline) noexcept {
  for (;;) {
    const int rest = PQflush(get());
    if (rest == 0) return Waited::ready;
    if (rest < 0) {
      lost_ = true;
      return Waited::lost;
    }
    // Reads too: a server that cannot get rid of its answers takes no more questions.
    const auto [waited, events] = wait(POLLIN | POLLOUT, deadline);
    if (waited != Waited::ready) return waited;
    if ((events & POLLIN) != 0 && !consume()) return Waited::lost;
  }
}

Waited Link::wait_while_busy(Clock::Steady deadline, remote::OnceLate once_late) noexcept {
  do {
    const auto ready = remote::wait_for(PQsocket(get()), POLLIN, deadline, once_late);
    if (ready.waited != Waited::ready) return ready.waited;
    if (!consume()) return Waited::lost;
  } while (!has_result());
  return Waited::ready;
}

Waited Link::wait_for_room(Clock::Steady deadline) noexcept {
  const auto [waited, events] = wait(POLLIN | POLLOUT, deadline);
  if (waited != Waited::ready) return waited;
  if ((events & POLLIN) != 0 && !consume()) return Waited::lost;
  return Waited::ready;
}

void Link::close() {
  closed_with_ = last_words();
  lost_ = true;
  connection_.reset();
}

std::string Link::last_words() const {
  if (!connection_) return closed_with_;
  return first_line(PQerrorMessage(get()));
}

}  // namespace carrel::postgres
