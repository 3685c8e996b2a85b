// Schedule: which operation may be sent now.
//
// An operation waits for the unanswered operations before it in the file on which it depends: the
// opens of the accounts it names, its `original`, the keys in its `after`, and an earlier operation
// with the same key. Nothing else waits: a parked operation never blocks others.
//
//   while (const Operation* operation = schedule.next()) {
//     ... send it, take the answer ...
//     schedule.complete(*operation);
//   }
//
// Memory: what was read and is not yet answered, at most `Window::unanswered_max` operations. What
// was answered is forgotten at once: a name that is not pending has been answered, or is not in the
// file before this line; either way there is nothing to wait for.
//
// Threads: one. Lifetime: the reader outlives the schedule; an operation lives until complete().
#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "client/operation.h"
#include "client/operation_reader.h"

namespace carrel::client {

class Schedule {
 public:
  struct Window {
    std::size_t unanswered_max = 65'536;
  };

  explicit Schedule(OperationReader& reader) : Schedule(reader, Window{}) {}
  Schedule(OperationReader& reader, Window window) : reader_(reader), window_(window) {}
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  // nullptr: nothing may be sent before some operation in flight completes, or all is done.
  [[nodiscard]] const Operation* next();

  // The server's answer is known (whatever it was): those that waited for it may go.
  void complete(const Operation& operation);

  // The file is read and every operation answered.
  [[nodiscard]] bool finished() const noexcept { return exhausted_ && unanswered_.empty(); }
  [[nodiscard]] std::size_t unanswered() const noexcept { return unanswered_.size(); }
  // Line of the first operation that has no answer, for telling how far a replay came.
  [[nodiscard]] std::optional<std::uint64_t> first_unanswered_line() const noexcept;

 private:
  struct Node : Operation {
    std::size_t waits_for = 0;
    std::vector<Node*> waiters;
    std::list<Node>::iterator place;
  };

  void admit(Operation operation);
  void wait_for(Node& node, std::string_view provider);

  OperationReader& reader_;
  Window window_;
  bool exhausted_ = false;
  std::list<Node> unanswered_;  // in file order
  std::deque<Node*> ready_;
  // Name of an account or key -> the last unanswered operation that provides it. Operations that
  // provide the same name wait for each other, so the last one stands for all.
  std::unordered_map<std::string, Node*> providers_;
};

}  // namespace carrel::client
