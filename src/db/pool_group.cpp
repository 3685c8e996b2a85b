#include "carrel/db/pool_group.h"

#include <algorithm>

#include "base/later.h"
#include "carrel/base/assert.h"
#include "db/group_core.h"
#include "db/lane.h"

namespace carrel {
namespace db {

GroupCore::GroupCore(const PoolGroupOptions& options)
    : permits_(options.connections_max),
      maintain_every_(options.maintain_every),
      free_(options.connections_max) {
  CARREL_ASSERT(permits_ > 0, "a group of pools may open no connection at all");
  if (maintain_every_.count() > 0) maintenance_ = std::thread([this] { run_maintenance(); });
}

GroupCore::~GroupCore() {
  {
    const std::scoped_lock lock(stop_mutex_);
    stopping_ = true;
  }
  stop_now_.notify_all();
  if (maintenance_.joinable()) maintenance_.join();
  CARREL_ASSERT(members_.empty(), "a group of pools was destroyed before its pools");
}

void GroupCore::join(GroupMember& member) {
  const std::scoped_lock lock(members_mutex_);
  members_.push_back(&member);
}

void GroupCore::leave(GroupMember& member) noexcept {
  {
    std::unique_lock lock(members_mutex_);
    std::erase(members_, &member);
    closed_.wait(lock, [&] { return std::ranges::count(closing_, &member) == 0; });
  }
  const std::scoped_lock looking_after(maintaining_);  // a round that began before has it still
}

void GroupCore::forget(const Lane& lane) noexcept {
  const std::scoped_lock lock(offering_, mutex_);
  remove_locked(lane);
  std::erase(lanes_, &lane);
}

Lane* GroupCore::neediest_locked() const noexcept {
  const auto least =
      std::ranges::min_element(line_, {}, [](const Lane* l) { return l->permits(); });
  return least == line_.end() ? nullptr : *least;
}

void GroupCore::remove_locked(const Lane& lane) noexcept {
  std::erase(line_, &lane);
  line_length_.store(line_.size(), std::memory_order_seq_cst);
}

bool GroupCore::try_take(Lane& lane, Otherwise otherwise) noexcept {
  const std::scoped_lock lock(mutex_);
  const bool first = line_.empty() || neediest_locked() == &lane;
  if (free_ > 0 && first) {
    --free_;
    remove_locked(lane);
    if (std::ranges::find(lanes_, &lane) == lanes_.end()) lanes_.push_back(&lane);
    lane.add_permit();
    return true;
  }
  if (otherwise == Otherwise::line_up && std::ranges::find(line_, &lane) == line_.end()) {
    line_.push_back(&lane);
    line_length_.store(line_.size(), std::memory_order_seq_cst);
  }
  return false;
}

void GroupCore::leave_line(Lane& lane) noexcept {
  const std::scoped_lock lock(mutex_);
  remove_locked(lane);
}

void GroupCore::take_off_locked(Lane& lane) noexcept {
  lane.drop_permit();
  // It has had its turn: among those that have as few, it is the last now.
  const auto own = std::ranges::find(line_, &lane);
  if (own != line_.end()) std::rotate(own, own + 1, line_.end());
}

void GroupCore::give_back(Lane& lane, Permit was) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    was == Permit::promised ? static_cast<void>(--promised_) : take_off_locked(lane);
    ++free_;
  }
  offer();
}

void GroupCore::offer() noexcept {
  const std::scoped_lock offering(offering_);
  for (;;) {
    Lane* next = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      if (free_ == 0) return;
      next = neediest_locked();
      if (next == nullptr) return;
    }
    // It takes one; or leaves the line, since it opens as many as it may already, until it can use
    // one again; or another lane has become needier meanwhile.
    next->accept_permit();
  }
}

// Counted as soon as it is said, since closing takes long: one waiter costs one connection.
void GroupCore::promise_locked(Lane& lane) noexcept {
  take_off_locked(lane);
  ++promised_;
}

bool GroupCore::should_give_up(Lane& lane) noexcept {
  const std::scoped_lock lock(mutex_);
  // Down to equal shares and no further; but nobody has one while another has none. Those who come
  // before `lane` get what is free or promised before it does.
  const auto before = std::ranges::count_if(line_, [&lane](const Lane* other) {
    return other != &lane && (other->permits() == 0 || other->permits() + 1 < lane.permits());
  });
  if (static_cast<std::size_t>(before) <= free_ + promised_) return false;
  promise_locked(lane);
  return true;
}

bool GroupCore::should_evict(Lane& lane) noexcept {
  const std::scoped_lock lock(mutex_);
  if (!lacks_permits_locked()) return false;
  promise_locked(lane);
  return true;
}

void GroupCore::break_promise(Lane& lane) noexcept {
  const std::scoped_lock lock(mutex_);
  --promised_;
  lane.add_permit();
}

bool GroupCore::lacks_permits() const noexcept {
  const std::scoped_lock lock(mutex_);
  return lacks_permits_locked();
}

// A lane lines up and then looks for idle connections; a returned connection idles and then its
// returner looks at the line. Both steps are in one order (seq_cst), so one of the two sees the
// other.
void GroupCore::make_room() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!wanted()) return;
  for (auto next = claim(); next.slot != nullptr; next = claim()) {
    next.member->close_claimed(*next.slot);
    evicted_.fetch_add(1, std::memory_order_relaxed);
    const std::scoped_lock lock(members_mutex_);
    closing_.erase(std::ranges::find(closing_, next.member));  // from here on it may be gone
    closed_.notify_all();
  }
}

GroupCore::Claim GroupCore::claim() noexcept {
  const std::scoped_lock lock(members_mutex_);
  while (lacks_permits()) {
    GroupMember* const longest = longest_idle();
    if (longest == nullptr) break;
    if (Slot* const slot = longest->claim_longest_idle()) {
      closing_.push_back(longest);
      return {.member = longest, .slot = slot};
    }
  }
  return {};
}

GroupMember* GroupCore::longest_idle() const {
  GroupMember* longest = nullptr;
  auto since = kNoneIdle;
  for (auto* member : members_) {
    const auto idle = member->idles_since();
    if (idle >= since) continue;
    since = idle;
    longest = member;
  }
  return longest;
}

// Without members_mutex_: a tenant whose server does not answer keeps nobody else from evicting.
void GroupCore::maintain() {
  const std::scoped_lock lock(maintaining_);
  std::vector<GroupMember*> members;
  {
    const std::scoped_lock members_lock(members_mutex_);
    members = members_;
  }
  for (auto* member : members) member->look_after();
}

void GroupCore::run_maintenance() {
  std::unique_lock lock(stop_mutex_);
  while (
      !stop_now_.wait_until(lock, base::from_now(maintain_every_), [this] { return stopping_; })) {
    lock.unlock();
    maintain();
    lock.lock();
  }
}

PoolGroupStats GroupCore::stats() const {
  const std::scoped_lock lock(members_mutex_, mutex_);
  return {.pools = members_.size(),
          .connections = permits_ - free_,
          .pools_waiting = line_.size(),
          .evicted = evicted_.load(std::memory_order_relaxed),
          .given_up = given_up_.load(std::memory_order_relaxed)};
}

void GroupCore::for_each_lane(const std::function<void(const Lane&)>& visit) const {
  const std::scoped_lock lock(mutex_);
  for (const auto* lane : lanes_) visit(*lane);
}

}  // namespace db

PoolGroup::PoolGroup(const PoolGroupOptions& options)
    : core_(std::make_unique<db::GroupCore>(options)) {}

PoolGroup::~PoolGroup() = default;

void PoolGroup::maintain() {
  core_->maintain();
}

PoolGroupStats PoolGroup::stats() const {
  return core_->stats();
}

}  // namespace carrel
