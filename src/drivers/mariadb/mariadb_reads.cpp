#include "drivers/mariadb/mariadb_reads.h"

#include <ma_pvio.h>
#undef MARIADB_TLS  // no more than void there, where a stream encrypts or not
#include <ma_tls.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "drivers/mariadb/mariadb_link.h"

namespace carrel::mariadb {
namespace {

// Whose call runs on this thread. libmariadb's calls have a stack of their own, but no thread.
constinit thread_local const Patience* t_patience = nullptr;

bool is_over() noexcept {
  return t_patience != nullptr && t_patience->late();
}

// In the clear. The library has one table of methods for all its sockets.
ssize_t (*g_read)(MARIADB_PVIO*, uchar*, size_t) = nullptr;

ssize_t read_in_time(MARIADB_PVIO* stream, uchar* buffer, size_t length) {
  if (!is_over()) return g_read(stream, buffer, length);
  errno = EAGAIN;
  return -1;
}

PVIO_METHODS* with_reads_in_time(const PVIO_METHODS& of_library) noexcept {
  static PVIO_METHODS methods = [&] {
    auto copy = of_library;
    g_read = std::exchange(copy.async_read, &read_in_time);
    return copy;
  }();
  return &methods;
}

// Encrypted: OpenSSL asks before it reads from the socket. What it gets then means to try again.
// https://docs.openssl.org/3.0/man3/BIO_set_callback/
long read_encrypted_in_time(BIO* socket, int operation, const char* /*data*/, size_t /*length*/,
                            int /*number*/, long /*argument*/, int result, size_t* /*processed*/) {
  if (operation != BIO_CB_READ || !is_over()) return result;
  BIO_clear_retry_flags(socket);
  BIO_set_retry_read(socket);
  return -1;
}

bool encrypts_by_openssl(MYSQL* connection) noexcept {
  const char* library = nullptr;
  return mariadb_get_infov(connection, MARIADB_TLS_LIBRARY, &library) == 0 && library != nullptr &&
         std::string_view(library).starts_with("OpenSSL 3.");
}

}  // namespace

void interpose_reads(MYSQL* connection) noexcept {
  auto* const stream = connection->net.pvio;
  stream->methods = with_reads_in_time(*stream->methods);
  const auto* const encryption = static_cast<const MARIADB_TLS*>(stream->ctls);
  if (encryption == nullptr || !encrypts_by_openssl(connection)) return;
  BIO_set_callback_ex(SSL_get_rbio(static_cast<const SSL*>(encryption->ssl)),
                      &read_encrypted_in_time);
}

ReadsWhile::ReadsWhile(const Patience& patience) noexcept
    : outer_(std::exchange(t_patience, &patience)) {}

ReadsWhile::~ReadsWhile() {
  t_patience = outer_;
}

}  // namespace carrel::mariadb
