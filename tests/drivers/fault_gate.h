// FaultGate: a TCP proxy inside the test that lies between a driver and its server and does to
// their bytes what bad networks do.
//
//   FaultGate gate(server_port("POSTGRES_PORT"));
//   options.port = gate.port();
//   gate.set({.cut_after = 17});        // of what the server says, counted from now; then both
//   ends
//                                       // are closed
//
// Faults hold for every link from when they are set. Threads: safe from any. Lifetime: closes its
// links and ends its thread when destroyed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace carrel::test {

struct Faults {
  bool refuse = false;      // new links are closed at once, and so are the present ones
  bool black_hole = false;  // nothing passes any more, in either direction; nobody is told
  bool fragment = false;    // every byte travels alone
  std::chrono::milliseconds delay{0};         // before anything passes
  std::optional<std::size_t> cut_after = {};  // bytes of the server's, over all links, from now
  std::optional<std::size_t> cut_asked = {};  // the same of the client's
  bool swallow = false;    // where they would cut, everything goes into a black hole instead
  bool spare_new = false;  // the cuts are for links that exist by now
};

class FaultGate {
 public:
  explicit FaultGate(std::uint16_t server_port);
  FaultGate(const FaultGate&) = delete;
  FaultGate& operator=(const FaultGate&) = delete;
  ~FaultGate();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  void set(const Faults& faults);
  // Bytes that the server has said through the gate since the faults were set.
  [[nodiscard]] std::size_t passed() const;
  // Bytes that the server has heard through it since then.
  [[nodiscard]] std::size_t asked() const;
  // Times that the direction turned from asking to answering since the faults were set: round trips
  // as the wire sees them.
  [[nodiscard]] std::size_t turns() const;
  // Links that were asked for since then, whether or not they came about.
  [[nodiscard]] std::size_t knocks() const;

 private:
  struct Pipe {
    int from = -1;
    int to = -1;
    bool answers = false;  // from the server
    std::string waiting;
    bool ended = false;
  };
  struct LinkPair {
    Pipe asks;
    Pipe answers;
    bool dead = false;
    std::uint64_t since = 0;  // which faults were set when it was made
  };

  void serve();
  void accept_link();
  void read_into(LinkPair& link, Pipe& pipe);
  void write_from(LinkPair& link, Pipe& pipe);
  [[nodiscard]] bool may_pass() const;
  [[nodiscard]] std::optional<std::size_t> cut_of(const LinkPair& link, const Pipe& pipe) const;
  void close_link(LinkPair& link);
  void wake() const;

  std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_read_ = -1;
  int wake_write_ = -1;
  mutable std::mutex mutex_;
  // All guarded by mutex_.
  Faults faults_;
  std::uint64_t faults_set_ = 0;
  std::size_t passed_ = 0;
  std::size_t asked_ = 0;
  std::size_t turns_ = 0;
  std::size_t knocks_ = 0;
  bool asking_ = false;
  bool ending_ = false;
  std::chrono::steady_clock::time_point not_before_;
  std::list<LinkPair> links_;  // used by the gate's thread alone
  std::thread thread_;
};

}  // namespace carrel::test
