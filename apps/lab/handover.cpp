#include "lab/handover.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <latch>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope_executor.h"
#include "carrel/scope/snapshot.h"
#include "lab/plain_pool.h"

namespace carrel::lab {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kTenants = 50;
constexpr int kSuspensions = 3;
constexpr std::string_view kRoute = "GET /orders";

// The context as people have it: on the thread.
std::optional<Identity>& thread_context() {
  thread_local std::optional<Identity> context;
  return context;
}

}  // namespace

std::string_view name_of(Handover handover) noexcept {
  switch (handover) {
    case Handover::pool:
      return "to another pool";
    case Handover::nested:
      return "nested submit";
    case Handover::coroutine:
      return "coroutine";
  }
  return "?";
}

Identity identity_of(std::size_t request) {
  Identity identity{.tenant = static_cast<std::int64_t>(request % kTenants) + 1};
  std::size_t rest = request + 1;  // a trace id is never all zero
  for (std::uint8_t& byte : identity.trace.trace_id) {
    byte = static_cast<std::uint8_t>(rest);
    rest >>= 8;
  }
  identity.trace.span_id.back() = 1;
  return identity;
}

void Judgement::judge(const Identity& asked, const std::optional<Identity>& found) noexcept {
  if (!found) {
    ++lost_;
  } else if (found->tenant == asked.tenant && found->trace.trace_id == asked.trace.trace_id) {
    ++right_;
  } else {
    ++stale_;
  }
}

class Handovers::Service {
 public:
  Service(Handover handover, ContextIn context_in, const ContextOptions& options)
      : handover_(handover),
        in_request_(context_in == ContextIn::request),
        takes_along_(options.remedy == TakingAlong::snapshot_and_scope_executor),
        back_(options.threads),
        front_(options.threads),
        coroutines_(options.threads) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() { coroutines_.join(); }

  void serve(std::size_t first, std::size_t end) {
    if (handover_ == Handover::coroutine) return serve_by_coroutines(first, end);
    for (std::size_t request = first; request < end; ++request)
      front_.post([this, asked = identity_of(request)] { enter(asked); });
    front_.wait_until_idle();
    back_.wait_until_idle();
  }

  [[nodiscard]] const Judgement& judgement() const noexcept { return judgement_; }

 private:
  // The entry of a request that is served by blocking code.
  void enter(const Identity& asked) {
    PlainPool& next = handover_ == Handover::pool ? back_ : front_;
    const auto far_side = [this, asked] { judgement_.judge(asked, found()); };
    if (!in_request_) {
      thread_context() = asked;
      next.post(far_side);
      return;
    }
    boundary_.run({.name = kRoute, .trace = asked.trace}, [&] {
      tenant_.set(asked.tenant);
      if (takes_along_) {
        next.post(Snapshot::capture().wrap(far_side));
      } else {
        next.post(far_side);
      }
    });
  }

  void serve_by_coroutines(std::size_t first, std::size_t end) {
    // Shared: the last one to count down may still be inside when the wait below is over.
    const auto done = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(end - first));
    const auto ended = [done](const std::exception_ptr& failure) {
      CARREL_ASSERT(failure == nullptr, "a coroutine of the lab has thrown");
      done->count_down();
    };
    for (std::size_t request = first; request < end; ++request) {
      const Identity asked = identity_of(request);
      if (in_request_ && takes_along_) {
        const scope_executor executor(coroutines_.get_executor(),
                                      {.name = kRoute, .trace = asked.trace});
        asio::co_spawn(executor, serve_by_coroutine(asked), ended);
      } else {
        asio::co_spawn(coroutines_.get_executor(), serve_by_coroutine(asked), ended);
      }
    }
    done->wait();
  }

  asio::awaitable<void> serve_by_coroutine(Identity asked) {
    const auto executor = co_await asio::this_coro::executor;
    remember(asked);
    for (int i = 0; i < kSuspensions; ++i) co_await asio::post(executor, asio::use_awaitable);
    judgement_.judge(asked, found());
  }

  void remember(const Identity& asked) {
    if (!in_request_) {
      thread_context() = asked;
    } else if (Scope::current() != nullptr) {
      tenant_.set(asked.tenant);
    } else {  // nothing keeps a scope over the suspension
      const Scope scope({.name = kRoute, .trace = asked.trace});
      tenant_.set(asked.tenant);
    }
  }

  [[nodiscard]] std::optional<Identity> found() const {
    if (!in_request_) return thread_context();
    const std::int64_t* const tenant = tenant_.find();
    if (tenant == nullptr) return std::nullopt;
    return Identity{*tenant, Scope::current()->trace()};
  }

  const Handover handover_;
  const bool in_request_;
  const bool takes_along_;
  RequestLocal<std::int64_t> tenant_{"tenant"};
  Boundary boundary_;
  Judgement judgement_;
  // Destroyed first: what runs on them uses the rest. The front pool's tasks post to the back one.
  PlainPool back_;
  PlainPool front_;
  asio::thread_pool coroutines_;
};

Handovers::Handovers(Handover handover, ContextIn context_in, const ContextOptions& options)
    : service_(std::make_unique<Service>(handover, context_in, options)) {}

Handovers::~Handovers() = default;

void Handovers::serve(std::size_t first, std::size_t end) {
  service_->serve(first, end);
}

const Judgement& Handovers::judgement() const noexcept {
  return service_->judgement();
}

}  // namespace carrel::lab
