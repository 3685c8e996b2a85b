#include "carrel/db/pool.h"

#include <utility>

#include "carrel/base/assert.h"
#include "db/pool_core.h"

namespace carrel {

Pool::Pool(PoolOptions options, Driver& driver)
    : core_(std::make_unique<Core>(std::move(options), driver)) {}

Pool::~Pool() = default;

Pool::Lease Pool::borrow(const BorrowOptions& options) {
  return core_->borrow(options);
}

bool Pool::drain(Clock::Steady deadline) {
  return core_->drain(deadline);
}

void Pool::maintain() {
  core_->maintain();
}

PoolStats Pool::stats() const {
  return core_->stats();
}

const std::string& Pool::name() const noexcept {
  return core_->options().name;
}

const Driver::Traits& Pool::traits() const noexcept {
  return core_->traits();
}

Pool::Lease::Lease(Lease&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)),
      connection_(std::exchange(other.connection_, nullptr)),
      slot_(other.slot_) {}

Pool::Lease& Pool::Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  release();
  core_ = std::exchange(other.core_, nullptr);
  connection_ = std::exchange(other.connection_, nullptr);
  slot_ = other.slot_;
  return *this;
}

Connection* Pool::Lease::operator->() const {
  CARREL_ASSERT(connection_ != nullptr, "a lease was used after its release");
  return connection_;
}

void Pool::Lease::release() noexcept {
  if (connection_ == nullptr) return;
  connection_ = nullptr;
  std::exchange(core_, nullptr)->give_back(*slot_);
}

}  // namespace carrel
