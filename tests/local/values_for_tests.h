// Values and threads that the tests of the local layer share.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "carrel/local/internal/inspect.h"

namespace carrel::local {

// A value that calls a function when it is destroyed.
class Farewell {
 public:
  explicit Farewell(std::function<void()> call = {}) : call_(std::move(call)) {}
  Farewell(Farewell&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  Farewell& operator=(Farewell&& other) noexcept {
    call_.swap(other.call_);
    return *this;
  }
  ~Farewell() {
    if (call_) call_();
  }

 private:
  std::function<void()> call_;
};

template <class F>
void on_another_thread(F f) {
  std::thread(f).join();
}

// What was reported while it lives.
class Reports {
 public:
  Reports() { lines().clear(), local::set_reporter(&take); }
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;
  ~Reports() { local::set_reporter(nullptr); }

  // Returns when something has been reported.
  static void wait_for_one() {
    std::unique_lock lock(mutex());
    changed().wait(lock, [] { return !lines().empty(); });
  }
  static std::vector<std::string> all() {
    const std::lock_guard lock(mutex());
    return lines();
  }

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }
  static std::condition_variable& changed() {
    static std::condition_variable changed;
    return changed;
  }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> lines;
    return lines;
  }
  static void take(std::string_view line) noexcept {
    const std::lock_guard lock(mutex());
    lines().emplace_back(line);
    changed().notify_all();
  }
};

}  // namespace carrel::local
