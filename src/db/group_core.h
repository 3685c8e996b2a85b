// GroupCore: the permits to have a connection open, for all lanes of a group of pools.
//
// A lane that has waiters and an empty slot, but gets no permit, stands in line here. It leaves the
// line when it gets one, or when its last waiter is gone. Permits go to the lane in line that has
// fewest, the first among equals.
//
// Locks are taken in this order: maintaining_, members_mutex_, offering_, a lane's mutex, mutex_.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "carrel/db/pool_group.h"

namespace carrel::db {

class Lane;
struct Slot;

// What a group asks of a pool.
class GroupMember {
 public:
  GroupMember() = default;
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

  // Since when the connection idles that does so longest, as a count of the clock; kNoneIdle
  // without.
  [[nodiscard]] virtual std::int64_t idles_since() noexcept = 0;
  // Takes that one, to be closed. Null: it is gone, or need not be closed any more.
  [[nodiscard]] virtual Slot* claim_longest_idle() noexcept = 0;
  // Closes what was claimed, which may take long.
  virtual void close_claimed(Slot& slot) noexcept = 0;
  virtual void look_after() = 0;

 protected:
  ~GroupMember() = default;
};
inline constexpr std::int64_t kNoneIdle = INT64_MAX;

class GroupCore {
 public:
  explicit GroupCore(const PoolGroupOptions& options);
  GroupCore(const GroupCore&) = delete;
  GroupCore& operator=(const GroupCore&) = delete;
  ~GroupCore();

  void join(GroupMember& member);
  // Returns once the group does nothing with it any more.
  void leave(GroupMember& member) noexcept;

  enum class Otherwise : std::uint8_t { nothing, line_up };
  // With the lane's mutex held: a permit for it, unless others come first.
  [[nodiscard]] bool try_take(Lane& lane, Otherwise otherwise) noexcept;
  // With the lane's mutex held: it has no waiters any more.
  void leave_line(Lane& lane) noexcept;

  // Whether the connection that `lane` gets back, and waits for itself, is to be closed for another
  // lane; and whether an idle one of `lane` is. With true the lane's permit is promised to the
  // line, and no longer counts as the lane's: give_back() follows once the connection is closed.
  [[nodiscard]] bool should_give_up(Lane& lane) noexcept;
  [[nodiscard]] bool should_evict(Lane& lane) noexcept;
  // There was none to evict after all.
  void break_promise(Lane& lane) noexcept;
  enum class Permit : std::uint8_t { kept, promised };
  // With no lane's mutex held: one of the lane's permits is free, and goes to whom it belongs.
  void give_back(Lane& lane, Permit was) noexcept;
  // Whether any lane stands in line.
  [[nodiscard]] bool wanted() const noexcept {
    // In one order with the puts of idle connections, see make_room().
    return line_length_.load(std::memory_order_seq_cst) != 0;
  }
  void count_given_up() noexcept { given_up_.fetch_add(1, std::memory_order_relaxed); }
  // Closes idle connections as long as lanes stand in line for want of permits. Called by who lines
  // up, and by who lets a connection idle: the later of the two sees the other. Each closes with no
  // lock held: one that a server keeps waiting keeps nobody else from making room.
  void make_room() noexcept;

  void maintain();
  [[nodiscard]] PoolGroupStats stats() const;
  [[nodiscard]] std::size_t permits() const noexcept { return permits_; }
  // With the wait graph's mutex held: every lane that has taken a permit.
  void for_each_lane(const std::function<void(const Lane&)>& visit) const;
  void forget(const Lane& lane) noexcept;

 private:
  [[nodiscard]] Lane* neediest_locked() const noexcept;
  void remove_locked(const Lane& lane) noexcept;
  void offer() noexcept;
  // Whether the line is longer than what is free or will be.
  [[nodiscard]] bool lacks_permits_locked() const noexcept {
    return free_ + promised_ < line_.size();
  }
  [[nodiscard]] bool lacks_permits() const noexcept;
  void promise_locked(Lane& lane) noexcept;
  void take_off_locked(Lane& lane) noexcept;
  [[nodiscard]] GroupMember* longest_idle() const;
  // The connection to close next, and whose it is; nothing where none is to be closed.
  struct Claim {
    GroupMember* member = nullptr;
    Slot* slot = nullptr;
  };
  [[nodiscard]] Claim claim() noexcept;
  void run_maintenance();

  const std::size_t permits_;
  const std::chrono::milliseconds maintain_every_;

  mutable std::mutex mutex_;  // the next four are guarded by mutex_
  std::size_t free_;
  std::size_t promised_ = 0;  // of connections that are being closed for the line
  std::vector<Lane*> line_;
  std::vector<const Lane*> lanes_;  // that ever took a permit
  std::atomic<std::size_t> line_length_{0};
  std::mutex offering_;  // nothing is guarded by offering_ but the lanes' lives during an offer

  std::mutex maintaining_;  // no data is guarded by maintaining_, but the members' lives meanwhile
  mutable std::mutex members_mutex_;  // members_ and closing_ are guarded by members_mutex_
  std::vector<GroupMember*> members_;
  std::vector<const GroupMember*> closing_;  // one for each connection that was claimed
  std::condition_variable closed_;           // with members_mutex_: one of these is no more
  std::atomic<std::uint64_t> evicted_{0};
  std::atomic<std::uint64_t> given_up_{0};

  std::mutex stop_mutex_;  // stopping_ is guarded by stop_mutex_
  bool stopping_ = false;
  std::condition_variable stop_now_;
  std::thread maintenance_;
};

}  // namespace carrel::db
