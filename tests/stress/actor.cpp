#include "stress/actor.h"

#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/local/internal/inspect.h"

namespace carrel::stress {
namespace {

constexpr std::size_t kBoundMax = 12;

}  // namespace

Actor::Actor(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) {
  model = &model_;
}

Actor::~Actor() {
  while (!bound_.empty()) end_guard(bound_.size() - 1);
  model = nullptr;
}

Actor::Action Actor::choose(unsigned what) {
  if (what < 260) return &Actor::get;
  if (what < 480) return &Actor::set;
  if (what < 580) return &Actor::bind;
  if (what < 680) return &Actor::take;
  if (what < 900) return &Actor::remove;
  return &Actor::visit;
}

void Actor::act() {
  const std::size_t index = random_() % stage_.size();
  const auto what = static_cast<unsigned>(random_() % 1000);
  if (what < 8) return destroy(index);
  if (what < 9) return fork_and_check(index);
  if (what < 12) return static_cast<void>(local::inspect_threads());
  if (what < 120 && !bound_.empty()) return end_guard(random_() % bound_.size());
  const Place& place = stage_.at(index);
  const std::shared_lock lock(stage_.at(index).mutex);
  check(index, place);
  (this->*choose(what))(index, place);
  check(index, place);
}

const Expected* Actor::expected(std::size_t index, const Place& place) const {
  const auto found = model_.find(index);
  return found == model_.end() || found->second.variable != place.number ? nullptr : &found->second;
}

void Actor::check(std::size_t index, const Place& place) const {
  // Before the look, which may destroy what dead variables have left, and so let that meddle.
  const Expected* const should = expected(index, place);
  const Value* const value = place.variable->peek();
  CARREL_ASSERT((value != nullptr) == (should != nullptr), "a value is there or not, wrongly");
  if (value == nullptr) return;
  CARREL_ASSERT(value->lives(), "a dead value");
  CARREL_ASSERT(value->number() == should->number, "another value");
}

template <class F>
void Actor::put(std::size_t index, const Place& place, std::uint64_t number,
                F&& into_the_variable) {
  // What is assigned to may meddle with this very variable first, and what an insertion clears of
  // dead variables does so last.
  const bool assigned = expected(index, place) != nullptr;
  if (!assigned) model_[index] = {place.number, number};
  into_the_variable();
  if (assigned) model_[index] = {place.number, number};
}

Value Actor::next_value() {
  return Value(++last_, random_() % 8 == 0 ? &stage_ : nullptr);
}

void Actor::get(std::size_t index, const Place& place) {
  Value& value = place.variable->get();
  CARREL_ASSERT(value.lives(), "a dead value");
  value.change_to(++last_);
  model_[index] = {place.number, last_};
}

void Actor::set(std::size_t index, const Place& place) {
  put(index, place, last_ + 1, [&] { place.variable->set(next_value()); });
}

void Actor::bind(std::size_t index, const Place& place) {
  if (bound_.size() == kBoundMax) return;
  const Expected* const before = expected(index, place);
  bound_.push_back({index, place.number,
                    before == nullptr ? std::nullopt : std::optional(before->number), nullptr});
  put(index, place, last_ + 1,
      [&] { bound_.back().guard.reset(new Bind<Value>(place.variable->bind(next_value()))); });
}

void Actor::take(std::size_t index, const Place& place) {
  const Expected* const found = expected(index, place);
  const bool should = found != nullptr;
  const std::uint64_t number = should ? found->number : 0;
  model_.erase(index);
  const std::optional<Value> taken = place.variable->take();
  CARREL_ASSERT(taken.has_value() == should, "took what was not there, or not");
  if (!taken) return;
  CARREL_ASSERT(taken->lives(), "took a dead value");
  CARREL_ASSERT(taken->number() == number, "took another value");
}

void Actor::remove(std::size_t index, const Place& place) {
  const bool should = expected(index, place) != nullptr;
  // First: what is removed may meddle with this very variable.
  model_.erase(index);
  CARREL_ASSERT(place.variable->remove() == should, "removed what was not there, or not");
}

void Actor::visit(std::size_t, const Place& place) {
  place.variable->for_each_thread(
      [](const Value& value) { CARREL_ASSERT(value.lives(), "visits a dead value"); });
}

bool Actor::end_guard_at(std::size_t index, const Place& place) {
  // Guards of one variable end in reverse order, those of different ones in any.
  auto newest = bound_.end();
  for (auto bound = bound_.begin(); bound != bound_.end(); ++bound) {
    if (bound->index == index) newest = bound;
  }
  if (newest == bound_.end()) return false;
  Bound ended = std::move(*newest);
  bound_.erase(newest);
  // The model first, as in remove(): what was bound may meddle once the restored value is there.
  if (ended.variable == place.number) {  // else it has died, and the guard restores nothing
    if (ended.before) {
      model_[index] = {place.number, *ended.before};
    } else {
      model_.erase(index);
    }
  }
  ended.guard.reset();
  return true;
}

void Actor::end_guard(std::size_t position) {
  const std::size_t index = bound_[position].index;
  Place& place = stage_.at(index);
  const std::shared_lock lock(place.mutex);
  end_guard_at(index, place);
  check(index, place);
}

void Actor::destroy(std::size_t index) {
  Place& place = stage_.at(index);
  const std::unique_lock lock(place.mutex, std::try_to_lock);
  if (lock.owns_lock()) stage_.renew(place);
}

void Actor::fork_and_check(std::size_t index) {
  Place& place = stage_.at(index);
  const std::shared_lock lock(place.mutex);
  const pid_t child = fork();
  if (child == 0) {
    check(index, place);
    while (end_guard_at(index, place)) check(index, place);
    place.variable->remove();
    {
      const ThreadLocal<int> fresh;
      fresh.set(1);
    }
    visit(index, place);
    _exit(0);
  }
  int status = 0;
  CARREL_ASSERT(child > 0 && waitpid(child, &status, 0) == child, "no child");
  CARREL_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child found it otherwise");
}

}  // namespace carrel::stress
