// Witness: a value that cannot be assigned, logs its destruction, and may do something then.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace carrel {

struct Witness {
  Witness() = default;
  Witness(std::vector<std::string>* where, std::string what, std::function<void()> then = {})
      : log(where), name(std::move(what)), last_words(std::move(then)) {}
  Witness(Witness&& other) noexcept
      : log(std::exchange(other.log, nullptr)),
        name(std::move(other.name)),
        last_words(std::move(other.last_words)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (log == nullptr) return;
    log->push_back(name);
    if (last_words) last_words();
  }
  std::vector<std::string>* log = nullptr;
  std::string name;
  std::function<void()> last_words;
};

}  // namespace carrel
