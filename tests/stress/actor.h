// One thread of local_stress: it does something at random to a variable at random, and checks each
// time that it finds there what its model says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "stress/stage.h"

namespace carrel::stress {

class Actor {
 public:
  Actor(Stage& stage, std::uint64_t seed);
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  ~Actor();

  void act();

 private:
  // A bind guard, which stays open over many actions, and what it will restore.
  struct Bound {
    std::size_t index;
    std::uint64_t variable;
    std::optional<std::uint64_t> before;
    std::unique_ptr<Bind<Value>> guard;
  };
  using Action = void (Actor::*)(std::size_t index, const Place& place);

  static Action choose(unsigned what);
  // The value that the model says there is; nullptr if none, or if its variable has died.
  [[nodiscard]] const Expected* expected(std::size_t index, const Place& place) const;
  void check(std::size_t index, const Place& place) const;
  [[nodiscard]] Value next_value();
  // Runs what puts the value of that number there, and notes it in the model.
  template <class F>
  void put(std::size_t index, const Place& place, std::uint64_t number, F&& into_the_variable);

  // With the place's lock held shared.
  void get(std::size_t index, const Place& place);
  void set(std::size_t index, const Place& place);
  void bind(std::size_t index, const Place& place);
  void take(std::size_t index, const Place& place);
  void remove(std::size_t index, const Place& place);
  void visit(std::size_t index, const Place& place);
  // Of the newest guard of that variable.
  bool end_guard_at(std::size_t index, const Place& place);
  // Without any.
  void end_guard(std::size_t position);
  void destroy(std::size_t index);
  void fork_and_check(std::size_t index);

  Stage& stage_;
  std::mt19937_64 random_;
  Model model_;
  std::vector<Bound> bound_;
  std::uint64_t last_ = 0;
};

}  // namespace carrel::stress
