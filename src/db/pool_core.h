// Pool::Core: what stands behind a Pool.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "carrel/db/pool.h"
#include "db/lane.h"

namespace carrel {

class Pool::Core {
 public:
  Core(PoolOptions options, Driver& driver);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  [[nodiscard]] Lease borrow(const BorrowOptions& options);
  void give_back(std::uint32_t lane, std::uint32_t slot) noexcept;
  bool drain(Clock::Steady deadline);
  void maintain();
  [[nodiscard]] PoolStats stats() const;

  [[nodiscard]] const PoolOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Driver::Traits& traits() const noexcept { return traits_; }

 private:
  enum class Closed : std::uint8_t { broken, idle, life, invalid, drained };

  [[nodiscard]] std::uint32_t lane_for(Access access) const noexcept;
  [[nodiscard]] Clock::Steady deadline_of(const BorrowOptions& options) const noexcept;
  [[nodiscard]] db::Acquired acquire(std::uint32_t lane, const BorrowOptions& options,
                                     db::Holder* holder);
  [[noreturn]] void throw_not_granted(const db::Acquired& acquired);
  // Fills an empty slot; on failure the slot is back in the lane.
  void connect(std::uint32_t lane, std::uint32_t slot, Clock::Steady deadline);
  [[nodiscard]] bool try_connect(std::uint32_t lane, std::uint32_t slot, Clock::Steady deadline);
  [[nodiscard]] bool is_alive(db::Slot& slot, const BorrowOptions& options) noexcept;
  static void note_utilisation(db::Slot& slot) noexcept;
  void close_connection(std::uint32_t lane, std::uint32_t slot, Closed why) noexcept;
  [[nodiscard]] std::chrono::nanoseconds life_with_jitter() noexcept;

  void note_borrowed(db::Slot& slot) noexcept;
  void note_returned(db::Slot& slot) noexcept;
  void report_leak(const db::Slot& slot, std::chrono::nanoseconds held, bool returned);
  void maintain_lane(std::uint32_t lane);
  void fill_to_minimum();
  void run_maintenance();

  const PoolOptions options_;
  Driver& driver_;
  const Driver::Traits traits_;
  std::vector<std::unique_ptr<db::Lane>> lanes_;  // one; with a single writer: writer, readers
  const std::uint64_t id_;                        // for the threads' hints
  const bool keeps_time_;                         // whether borrowing and returning read the clock

  std::atomic<std::uint64_t> created_{0};
  std::atomic<std::uint64_t> connect_failures_{0};
  std::atomic<std::uint64_t> leaks_{0};
  std::atomic<std::uint64_t> closed_[5] = {};
  std::atomic<std::uint64_t> failures_in_a_row_{0};
  std::atomic<std::uint64_t> jitter_state_;

  mutable std::mutex mutex_;  // the next two are guarded by mutex_
  std::string last_connect_error_;
  bool stopping_ = false;
  std::condition_variable wake_maintenance_;
  std::thread maintenance_;
};

}  // namespace carrel
