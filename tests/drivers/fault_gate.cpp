#include "drivers/fault_gate.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace carrel::test {
namespace {

sockaddr_in loopback(std::uint16_t port) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void require(bool succeeded) {
  if (!succeeded) throw std::runtime_error("the fault gate could not be built");
}

void send_each_byte_alone(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

FaultGate::FaultGate(std::uint16_t server_port)
    : server_port_(server_port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto address = loopback(0);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  require(::bind(listener_, raw, size) == 0 && ::listen(listener_, 64) == 0 &&
          ::getsockname(listener_, raw, &size) == 0);
  port_ = ntohs(address.sin_port);
  std::array<int, 2> ends{};
  require(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0);
  wake_read_ = ends[0];
  wake_write_ = ends[1];
  thread_ = std::thread([this] { serve(); });
}

FaultGate::~FaultGate() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake();
  thread_.join();
  for (const int descriptor : {listener_, wake_read_, wake_write_}) ::close(descriptor);
}

void FaultGate::set(const Faults& faults) {
  {
    const std::lock_guard lock(mutex_);
    faults_ = faults;
    ++faults_set_;
    passed_ = 0;
    asked_ = 0;
    turns_ = 0;
    knocks_ = 0;
    asking_ = false;
    not_before_ = std::chrono::steady_clock::now() + faults.delay;
  }
  wake();
}

std::size_t FaultGate::passed() const {
  const std::lock_guard lock(mutex_);
  return passed_;
}

std::size_t FaultGate::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::size_t FaultGate::turns() const {
  const std::lock_guard lock(mutex_);
  return turns_;
}

std::size_t FaultGate::knocks() const {
  const std::lock_guard lock(mutex_);
  return knocks_;
}

void FaultGate::wake() const {
  const char byte = 0;
  static_cast<void>(::write(wake_write_, &byte, 1) == 1);
}

bool FaultGate::may_pass() const {
  return !faults_.black_hole && std::chrono::steady_clock::now() >= not_before_;
}

// One thread, one poll over all links: simple, and in the order in which things happen.
void FaultGate::serve() {
  for (;;) {
    std::vector<pollfd> watched = {{wake_read_, POLLIN, 0}, {listener_, POLLIN, 0}};
    std::vector<std::pair<LinkPair*, Pipe*>> owners(2);
    int timeout_ms = -1;
    {
      const std::lock_guard lock(mutex_);
      if (ending_) break;
      for (auto& link : links_) {
        for (auto* pipe : {&link.asks, &link.answers}) {
          if (faults_.black_hole) continue;
          const bool full = !pipe->waiting.empty();
          if (full && !may_pass()) {
            timeout_ms = 1;
            continue;
          }
          if (pipe->ended && !full) continue;
          watched.push_back({full ? pipe->to : pipe->from, short(full ? POLLOUT : POLLIN), 0});
          owners.emplace_back(&link, pipe);
        }
      }
    }
    ::poll(watched.data(), watched.size(), timeout_ms);
    const std::lock_guard lock(mutex_);
    std::array<char, 64> drained{};
    while (::read(wake_read_, drained.data(), drained.size()) > 0) {
    }
    if (faults_.refuse) {
      for (auto& link : links_) link.dead = true;
    }
    for (std::size_t i = 2; i < watched.size(); ++i) {
      auto [link, pipe] = owners[i];
      if (watched[i].revents == 0 || link->dead || faults_.black_hole) continue;
      pipe->waiting.empty() ? read_into(*link, *pipe) : write_from(*link, *pipe);
    }
    if ((watched[1].revents & POLLIN) != 0) accept_link();
    for (auto& link : links_) {
      if (link.dead || (link.asks.ended && link.answers.ended)) close_link(link);
    }
    links_.remove_if([](const LinkPair& link) { return link.asks.from < 0; });
  }
  for (auto& link : links_) close_link(link);
}

void FaultGate::accept_link() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  ++knocks_;
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(server_port_);
  if (faults_.refuse ||
      ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(client);
    ::close(server);
    return;
  }
  send_each_byte_alone(client);
  send_each_byte_alone(server);
  auto& link = links_.emplace_back();
  link.asks.from = link.answers.to = client;
  link.asks.to = link.answers.from = server;
  link.answers.answers = true;
  link.since = faults_set_;
}

void FaultGate::read_into(LinkPair& link, Pipe& pipe) {
  std::array<char, 4096> buffer{};
  const auto got = ::recv(pipe.from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) {
    pipe.waiting.assign(buffer.data(), static_cast<std::size_t>(got));
    if (faults_.delay.count() > 0) not_before_ = std::chrono::steady_clock::now() + faults_.delay;
    if (pipe.answers && asking_) ++turns_;
    asking_ = !pipe.answers;
    return;
  }
  pipe.ended = true;
  link.dead |= got < 0;
  ::shutdown(pipe.to, SHUT_WR);
}

void FaultGate::write_from(LinkPair& link, Pipe& pipe) {
  if (!may_pass()) return;
  std::size_t size = faults_.fragment ? 1 : pipe.waiting.size();
  auto& through = pipe.answers ? passed_ : asked_;
  const auto cut = cut_of(link, pipe);
  if (cut) size = std::min(size, *cut - through);
  if (size > 0) {
    const auto sent = ::send(pipe.to, pipe.waiting.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) {
      link.dead = true;
      return;
    }
    pipe.waiting.erase(0, static_cast<std::size_t>(sent));
    through += static_cast<std::size_t>(sent);
  }
  if (!cut || through < *cut) return;
  (faults_.swallow ? faults_.black_hole : link.dead) = true;
}

std::optional<std::size_t> FaultGate::cut_of(const LinkPair& link, const Pipe& pipe) const {
  if (faults_.spare_new && link.since == faults_set_) return std::nullopt;
  return pipe.answers ? faults_.cut_after : faults_.cut_asked;
}

void FaultGate::close_link(LinkPair& link) {
  if (link.asks.from < 0) return;
  ::close(link.asks.from);
  ::close(link.asks.to);
  link.asks.from = -1;
}

}  // namespace carrel::test
