#include "db/lane.h"

#include <algorithm>
#include <bit>
#include <new>

#include "carrel/base/assert.h"

namespace carrel::db {

// Slot i has bit i / word_count_ of word i % word_count_.
Lane::Lane(std::size_t size, std::size_t connecting_max, GroupCore* group)
    : size_(size),
      word_count_(std::max(std::min(size, kWords), (size + kBits - 1) / kBits)),
      connecting_max_(connecting_max == 0 ? 1 : connecting_max),
      group_(group),
      words_(std::make_unique<Word[]>(word_count_)),
      slots_(std::make_unique<Slot[]>(size)) {
  for (std::size_t i = 0; i < size; ++i) {
    slots_[i].word = &words_[i % word_count_].value;
    slots_[i].bit = std::uint64_t{1} << (i / word_count_);
    slots_[i].lane = this;
    slots_[i].index = static_cast<std::uint32_t>(i);
  }
  // Lowest first: taken from the back.
  for (std::size_t i = size; i-- > 0;) empty_.push_back(static_cast<std::uint32_t>(i));
}

Slot& Lane::slot_at(std::size_t word, std::uint64_t bit) noexcept {
  return slots_[static_cast<std::size_t>(std::countr_zero(bit)) * word_count_ + word];
}

Slot* Lane::try_take_any() noexcept {
  for (std::size_t w = 0; w < word_count_; ++w) {
    auto seen = words_[w].value.load(std::memory_order_relaxed);
    while (seen != 0 && (seen & kWaiting) == 0) {
      const auto bit = seen & (~seen + 1);  // the lowest
      // Acquire: as in try_take().
      if (words_[w].value.compare_exchange_weak(seen, seen & ~bit, std::memory_order_acquire,
                                                std::memory_order_relaxed))
        return &slot_at(w, bit);
    }
  }
  return nullptr;
}

Lane::~Lane() {
  // A traversal that found this lane, since somebody waited for it a moment ago, holds the mutex;
  // none finds it later, since nobody waits for it any more.
  {
    const std::scoped_lock lock(wait_graph::mutex());
  }
  if (group_ != nullptr) group_->forget(*this);
}

void Lane::mark_waiting_locked() noexcept {
  for (std::size_t w = 0; w < word_count_; ++w)
    words_[w].value.fetch_or(kWaiting, std::memory_order_acq_rel);
}

// A closed lane stays marked, so that every take and put comes to the mutex.
void Lane::mark_free_locked() noexcept {
  if (closed_.load(std::memory_order_relaxed)) return;
  for (std::size_t w = 0; w < word_count_; ++w)
    words_[w].value.fetch_and(~kWaiting, std::memory_order_acq_rel);
}

// Only while marked: then nobody else changes an idle bit.
std::optional<std::uint32_t> Lane::take_idle_locked() noexcept {
  for (std::size_t w = 0; w < word_count_; ++w) {
    const auto idle = words_[w].value.load(std::memory_order_acquire) & ~kWaiting;
    if (idle == 0) continue;
    const auto bit = idle & (~idle + 1);
    words_[w].value.fetch_and(~bit, std::memory_order_acq_rel);
    return slot_at(w, bit).index;
  }
  return std::nullopt;
}

void Lane::append_locked(Waiter& waiter) noexcept {
  waiter.previous = tail_;
  (tail_ == nullptr ? head_ : tail_->next) = &waiter;
  tail_ = &waiter;
  ++waiting_;
}

void Lane::unlink_locked(Waiter& waiter) noexcept {
  (waiter.previous == nullptr ? head_ : waiter.previous->next) = waiter.next;
  (waiter.next == nullptr ? tail_ : waiter.next->previous) = waiter.previous;
  if (waiter.holder != nullptr)
    waiter.holder->waiting_for.store(nullptr, std::memory_order_release);
  if (--waiting_ > 0) return;
  mark_free_locked();
  if (group_ != nullptr) group_->leave_line(*this);
}

// The head of the line, to be unparked once the mutex is free. It runs from now on, and shows so
// before the slot shows as its own: the wait graph relies on that order.
Lane::Waiter* Lane::grant_locked(Grant grant, std::uint32_t slot) noexcept {
  Waiter* waiter = head_;
  unlink_locked(*waiter);
  waiter->grant = grant;
  waiter->slot = slot;
  waiter->granted = true;
  if (grant == Grant::connected || grant == Grant::empty)
    slots_[slot].holder.store(waiter->holder, std::memory_order_release);
  return waiter;
}

Acquired Lane::take_empty_locked() noexcept {
  const auto slot = empty_.back();
  empty_.pop_back();
  ++connecting_;
  return {.grant = Grant::empty, .slot = slot};
}

Lane::Waiter* Lane::grant_empty_locked() noexcept {
  if (head_ == nullptr || !may_connect_locked(GroupCore::Otherwise::line_up)) return nullptr;
  return grant_locked(Grant::empty, take_empty_locked().slot);
}

// What is there at once, or nothing: then the waiter stands in line.
std::optional<Acquired> Lane::take_or_line_up(Waiter& waiter) {
  const std::scoped_lock lock(mutex_);
  if (closed_.load(std::memory_order_relaxed)) return Acquired{.grant = Grant::closed};
  if (head_ == nullptr) {
    mark_waiting_locked();
    std::optional<Acquired> found;
    if (const auto idle = take_idle_locked()) {
      found = Acquired{.grant = Grant::connected, .slot = *idle};
    } else if (may_connect_locked(GroupCore::Otherwise::nothing)) {
      found = take_empty_locked();
    }
    if (found) {
      mark_free_locked();
      slots_[found->slot].holder.store(waiter.holder, std::memory_order_release);
      return found;
    }
  }
  append_locked(waiter);
  // Only of a thread that holds something, for which take() has locked the graph. Of any other, a
  // traversal may just have read that it holds a slot, which it has given back since: it would take
  // the thread for one that holds the slot and waits.
  if (waiter.holder != nullptr && waiter.holder->held > 0)
    waiter.holder->waiting_for.store(this, std::memory_order_release);
  // Where only a permit is missing the lane lines up for one; one may have come free just now.
  if (head_ == &waiter && grant_empty_locked() != nullptr)
    return Acquired{.grant = waiter.grant, .slot = waiter.slot};
  return std::nullopt;
}

bool Lane::leave_line(Waiter& waiter) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (!waiter.granted) {
      unlink_locked(waiter);
      return true;
    }
  }
  // The grant came first; its unpark() is on the way and must not meet a dead waiter.
  waiter.parker.park_until(kNoDeadline);
  return false;
}

// Where nobody who holds what the waiter needs can go on: it leaves the line again, or takes what
// it got meanwhile. So it does, too, where there is no memory for the search.
std::optional<Acquired> Lane::refuse_if_hopeless(Waiter& waiter) {
  try {
    if (!wait_graph::is_hopeless(*this)) return std::nullopt;
    auto holders = wait_graph::holders_of(*this);
    if (leave_line(waiter)) {
      deadlocks_.fetch_add(1, std::memory_order_relaxed);
      return Acquired{.grant = Grant::deadlock, .holders = std::move(holders)};
    }
  } catch (const std::bad_alloc&) {
    if (leave_line(waiter)) throw;
  }
  return Acquired{.grant = waiter.grant, .slot = waiter.slot};
}

Acquired Lane::take(Clock::Steady deadline, Holder* holder, std::string_view label) {
  Waiter waiter;
  waiter.holder = holder;
  {
    // Who holds nothing cannot close a circle and need not look for one.
    std::unique_lock graph(wait_graph::mutex(), std::defer_lock);
    if (holder != nullptr && holder->held > 0) {
      graph.lock();
      holder->label = label;
    }
    if (auto found = take_or_line_up(waiter)) return *std::move(found);
    if (graph.owns_lock()) {
      if (auto refused = refuse_if_hopeless(waiter)) return *std::move(refused);
    }
  }
  if (group_ != nullptr) group_->make_room();
  waited_.fetch_add(1, std::memory_order_relaxed);
  const auto begun = Clock::Steady::clock::now();
  const bool came = waiter.parker.park_until(deadline);
  const auto waited = std::chrono::nanoseconds(Clock::Steady::clock::now() - begun);
  wait_ns_.fetch_add(waited.count(), std::memory_order_relaxed);
  if (!came && leave_line(waiter)) {
    timeouts_.fetch_add(1, std::memory_order_relaxed);
    return {.grant = Grant::timed_out};
  }
  return {.grant = waiter.grant, .slot = waiter.slot};
}

Lane::Put Lane::put_in_line(std::uint32_t slot) noexcept {
  Waiter* next = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_.load(std::memory_order_relaxed)) return Put::closed;
    if (head_ == nullptr) {
      slots_[slot].word->fetch_or(slots_[slot].bit, std::memory_order_acq_rel);
      return Put::idle;
    }
    next = grant_locked(Grant::connected, slot);
  }
  next->parker.unpark();
  return Put::handed_on;
}

// The permit first: once the slot shows as empty, a drained lane may be gone.
void Lane::put_empty(std::uint32_t slot, Was was) noexcept {
  auto* const group = group_;
  const bool promised = was == Was::given_up || was == Was::evicted;
  if (group != nullptr)
    group->give_back(*this, promised ? GroupCore::Permit::promised : GroupCore::Permit::kept);
  Waiter* next = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    CARREL_ASSERT(!slots_[slot].connection, "an emptied slot still holds its connection");
    slots_[slot].holder.store(nullptr, std::memory_order_release);
    if (was == Was::connecting) --connecting_;
    empty_.push_back(slot);
    next = grant_empty_locked();
    if (closed_.load(std::memory_order_relaxed)) changed_.notify_all();
  }
  if (next != nullptr) next->parker.unpark();
  if (group != nullptr && was != Was::evicted) group->make_room();
}

void Lane::accept_permit() noexcept {
  for (;;) {
    Waiter* next = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      if (head_ == nullptr || empty_.empty() || connecting_ >= connecting_max_)
        return group_->leave_line(*this);
      next = grant_empty_locked();
    }
    if (next == nullptr) return;
    next->parker.unpark();
  }
}

std::optional<std::uint32_t> Lane::longest_idle() const noexcept {
  std::optional<std::uint32_t> longest;
  auto since = kNoneIdle;
  for (std::uint32_t i = 0; i < size_; ++i) {
    if ((slots_[i].word->load(std::memory_order_relaxed) & slots_[i].bit) == 0) continue;
    const auto idle = slots_[i].idle_since.load(std::memory_order_relaxed);
    if (longest && idle >= since) continue;
    since = idle;
    longest = i;
  }
  return longest;
}

void Lane::connect_succeeded() noexcept {
  Waiter* next = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    --connecting_;
    next = grant_empty_locked();
  }
  if (next != nullptr) next->parker.unpark();
  if (group_ != nullptr) group_->make_room();
}

std::optional<std::uint32_t> Lane::take_empty() noexcept {
  const std::scoped_lock lock(mutex_);
  if (closed_.load(std::memory_order_relaxed) || !may_connect_locked(GroupCore::Otherwise::nothing))
    return std::nullopt;
  return take_empty_locked().slot;
}

std::vector<std::uint32_t> Lane::close() {
  std::vector<std::uint32_t> idle;
  std::vector<Waiter*> sent_away;
  {
    const std::scoped_lock lock(mutex_);
    closed_.store(true, std::memory_order_release);
    mark_waiting_locked();
    while (head_ != nullptr) sent_away.push_back(grant_locked(Grant::closed, 0));
    while (const auto slot = take_idle_locked()) idle.push_back(*slot);
    changed_.notify_all();
  }
  for (auto* waiter : sent_away) waiter->parker.unpark();
  return idle;
}

bool Lane::wait_until_empty(Clock::Steady deadline) {
  std::unique_lock lock(mutex_);
  const auto all_empty = [this] { return empty_.size() == size_; };
  if (deadline == kNoDeadline) {
    changed_.wait(lock, all_empty);
    return true;
  }
  return changed_.wait_until(lock, deadline, all_empty);
}

void Lane::pause(Clock::Steady until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return closed_.load(std::memory_order_relaxed); });
}

LaneStats Lane::stats() const {
  LaneStats stats;
  const std::scoped_lock lock(mutex_);
  for (std::size_t w = 0; w < word_count_; ++w) {
    const auto idle = words_[w].value.load(std::memory_order_relaxed) & ~kWaiting;
    stats.idle += static_cast<std::size_t>(std::popcount(idle));
  }
  stats.empty = empty_.size();
  stats.waiting = waiting_;
  stats.waited = waited_.load(std::memory_order_relaxed);
  stats.timeouts = timeouts_.load(std::memory_order_relaxed);
  stats.deadlocks = deadlocks_.load(std::memory_order_relaxed);
  stats.wait_time = std::chrono::nanoseconds(wait_ns_.load(std::memory_order_relaxed));
  return stats;
}

}  // namespace carrel::db
