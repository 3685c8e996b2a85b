#include "stress/stage.h"

#include <mutex>
#include <string>
#include <utility>

#include "carrel/base/assert.h"

namespace carrel::stress {
namespace {

constexpr std::uint64_t kAlive = 0x600d600d600d600dULL;
constexpr std::uint64_t kDead = 0xdeaddeaddeaddeadULL;

}  // namespace

constinit thread_local Model* model = nullptr;
constinit std::atomic<long> Value::living{0};

Value::Value(std::uint64_t number, Stage* meddles_with) noexcept
    : mark_(kAlive), number_(number), stage_(meddles_with) {
  ++living;
}

Value::Value(Value&& other) noexcept : Value(other.number(), std::exchange(other.stage_, nullptr)) {
  CARREL_ASSERT(other.lives(), "a dead value was moved");
}

Value& Value::operator=(Value&& other) noexcept {
  CARREL_ASSERT(lives() && other.lives(), "a dead value was moved, or assigned to");
  meddle();
  number_ = other.number();
  stage_ = std::exchange(other.stage_, nullptr);
  return *this;
}

Value::~Value() {
  CARREL_ASSERT(mark_.exchange(kDead) == kAlive, "a value was destroyed twice");
  --living;
  meddle();
}

bool Value::lives() const noexcept {
  return mark_ == kAlive;
}

void Value::meddle() noexcept {
  if (Stage* const stage = std::exchange(stage_, nullptr)) stage->meddle(number_ + 1);
}

Stage::Stage(unsigned variables) : places_(variables) {
  for (Place& place : places_) renew(place);
}

void Stage::renew(Place& place) {
  place.variable.reset();
  const std::uint64_t number = ++last_number_;
  place.number = number;
  place.variable = std::make_unique<ThreadLocal<Value>>(
      ThreadLocalOptions<Value>{.name = "variable " + std::to_string(number),
                                .reclaim = number % 5 == 0 ? Reclaim::owner : Reclaim::eager});
}

void Stage::meddle(std::uint64_t number) {
  const std::size_t index = number % places_.size();
  Place& place = places_[index];
  const std::shared_lock lock(place.mutex, std::try_to_lock);
  if (!lock.owns_lock() || place.variable == nullptr) return;
  place.variable->get().change_to(number);
  if (model != nullptr) (*model)[index] = {place.number, number};
}

}  // namespace carrel::stress
