#include "drivers/mariadb/mariadb_handshake.h"

#include <errmsg.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/db/sql_error.h"
#include "drivers/mariadb/mariadb_error.h"
#include "drivers/mariadb/mariadb_link.h"
#include "drivers/remote/beside.h"
#include "drivers/remote/resolve.h"

namespace carrel::mariadb {
namespace {

bool is_socket(const std::string& host) noexcept {
  return host.starts_with('/');
}

// Given a certificate's authority or none, libmariadb encrypts where the server can, and only then:
// MYSQL_OPT_SSL_ENFORCE adds nothing, and takes all of it away where it is 0. See require_tls().
void apply_tls(MYSQL* connection, const MariadbOptions& options) {
  if (options.tls == MariadbTls::off) return;
  const char* root = options.tls_root_file.empty() ? nullptr : options.tls_root_file.c_str();
  mysql_ssl_set(connection, nullptr, nullptr, root, nullptr, nullptr);
  const auto verify = static_cast<my_bool>(options.tls == MariadbTls::verify_full);
  mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

ConnectionPtr prepared(const MariadbOptions& options) {
  ConnectionPtr connection(mysql_init(nullptr));
  if (!connection) throw SqlError("sql.cannot_connect", {.message = "out of memory"});
  auto* raw = connection.get();
  mysql_optionsv(raw, MYSQL_OPT_NONBLOCK, nullptr);
  mysql_optionsv(raw, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const my_bool no_truncation_reports = 0;
  mysql_optionsv(raw, MYSQL_REPORT_DATA_TRUNCATION, &no_truncation_reports);
  // Else "localhost" would be the socket of whatever server this machine has.
  const unsigned protocol = is_socket(options.host) ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
  mysql_optionsv(raw, MYSQL_OPT_PROTOCOL, &protocol);
  apply_tls(raw, options);
  return connection;
}

// Lets a caller out of time end an attempt that another thread makes.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { forget(); }

  // For the thread, before each wait. False: nobody waits for the connection any more.
  [[nodiscard]] bool goes_on(MYSQL* connection) {
    const std::lock_guard lock(mutex_);
    // A descriptor of our own: the library may close its one at any time, and its number may soon
    // be somebody else's.
    forget();
    socket_ = ::fcntl(static_cast<int>(mysql_get_socket(connection)), F_DUPFD_CLOEXEC, 0);
    return !left_;
  }
  // For the caller. Whatever the thread reads from now on has ended.
  void leave() {
    const std::lock_guard lock(mutex_);
    left_ = true;
    if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
  }

 private:
  void forget() noexcept {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  std::mutex mutex_;
  bool left_ = false;  // guarded by mutex_
  int socket_ = -1;    // guarded by mutex_
};

[[noreturn]] void throw_out_of_time() {
  throw SqlError("sql.deadline",
                 {.message = "the server did not answer in time", .traits = {.retryable = true}});
}

// A link that is lost amid the handshake is told as any other trouble with TLS.
bool means_lost_handshake(const Trouble& trouble) {
  if (trouble.number != CR_SSL_CONNECTION_ERROR) return false;
  const auto say = [&](std::string_view part) { return trouble.message.find(part) != part.npos; };
  return say("unexpected eof") || say("reset by peer") || say("Broken pipe");
}

// Takes an ERR of the greeting for what it is: a refusal of the connection.
SqlError connect_error(const Trouble& trouble) {
  if (!means_lost(trouble.number) && !means_lost_handshake(trouble)) return error_of(trouble, {});
  return SqlError("sql.cannot_connect", {.message = trouble.message,
                                         .sqlstate = "08001",
                                         .native_code = static_cast<int>(trouble.number),
                                         .traits = {.retryable = true}});
}

// libmariadb goes on in the clear with a server that cannot encrypt, whatever it was told.
void require_tls(MYSQL* connection, MariadbTls tls) {
  const bool wanted = tls == MariadbTls::require || tls == MariadbTls::verify_full;
  if (!wanted || mysql_get_ssl_cipher(connection) != nullptr) return;
  throw SqlError(
      "sql.cannot_connect",
      {.message = "the server does not encrypt, and TLS is required", .sqlstate = "08001"});
}

// One address after the other.
ConnectionPtr attempt(const MariadbOptions& options, const std::vector<std::string>& addresses,
                      Clock::Steady deadline, Watch* watch) {
  const bool local = is_socket(options.host);
  const char* database = options.database.empty() ? nullptr : options.database.c_str();
  // Affected rows are the rows found; several statements at once are sent by the driver alone.
  constexpr unsigned long flags = CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS;
  auto connection = prepared(options);
  auto* raw = connection.get();
  Patience patience(deadline);
  for (const auto& address : addresses) {
    MYSQL* made = nullptr;
    int waits_for = mysql_real_connect_start(
        &made, raw, local ? nullptr : address.c_str(), options.user.c_str(),
        options.password.c_str(), database, options.port, local ? address.c_str() : nullptr, flags);
    while (waits_for != 0) {
      if (watch != nullptr && !watch->goes_on(raw)) patience.give_up();
      const int ready = patience.wait(raw, waits_for);
      if (patience.gone()) close_link(raw);
      waits_for = mysql_real_connect_cont(&made, raw, ready);
    }
    if (made != nullptr) {
      require_tls(raw, options.tls);
      return connection;
    }
    if (patience.gone()) throw_out_of_time();
  }
  throw connect_error(Trouble::of(raw));
}

struct Attempted {
  ConnectionPtr connection;
  std::optional<SqlError> error = {};
};

// Over TLS, libmariadb's non-blocking calls block after all: in the handshake, and in resolving the
// name that the certificate must bear. So they are made on a thread beside, which is left behind
// once the time is over, and closes what it has made.
ConnectionPtr attempt_beside(const MariadbOptions& options, std::vector<std::string> addresses,
                             Clock::Steady deadline) {
  const auto watch = std::make_shared<Watch>();
  auto work = [options, addresses = std::move(addresses), deadline, watch] {
    Attempted attempted;
    try {
      attempted.connection = attempt(options, addresses, deadline, watch.get());
    } catch (const SqlError& error) {
      attempted.error = error;
    }
    return attempted;
  };
  auto attempted = remote::beside(deadline, "connecting", std::move(work));
  if (!attempted) {
    watch->leave();
    throw_out_of_time();
  }
  if (attempted->error) throw SqlError(*attempted->error);
  return std::move(attempted->connection);
}

}  // namespace

ConnectionPtr shake_hands(const MariadbOptions& options, Clock::Steady deadline) {
  auto addresses = remote::resolve(options.host, deadline);
  // A certificate names the host, not its address; only then does the library resolve it, once
  // more, on a thread of its own. One that hangs already has been met above, by one thread for all.
  if (options.tls == MariadbTls::verify_full) addresses = {options.host};
  if (options.tls == MariadbTls::off) return attempt(options, addresses, deadline, nullptr);
  return attempt_beside(options, std::move(addresses), deadline);
}

}  // namespace carrel::mariadb
