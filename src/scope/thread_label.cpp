#include "scope/thread_label.h"

#include <pthread.h>

#include <bit>
#include <list>
#include <mutex>
#include <new>

#include "carrel/local/thread_block.h"
#include "local/registry.h"

namespace carrel::scope {
namespace {

// The one hidden global of this layer: inspect() has nowhere else to begin. Never destroyed, since
// threads may outlive the end of main().
struct LabelList {
  std::mutex mutex;
  std::list<ThreadLabel> labels;  // guarded by mutex
};

constinit thread_local ThreadLabel* own_label = nullptr;
constinit thread_local bool thread_is_ending = false;

LabelList& label_list();

// A forked child has one thread: the labels of the others say nothing any more.
void keep_own_label_after_fork() {
  LabelList& list = label_list();
  list.labels.remove_if([](const ThreadLabel& label) { return &label != own_label; });
  list.mutex.unlock();
}

LabelList& label_list() {
  static LabelList* const list = [] {
    ::pthread_atfork([] { label_list().mutex.lock(); }, [] { label_list().mutex.unlock(); },
                     &keep_own_label_after_fork);
    return new LabelList;
  }();
  return *list;
}

// This thread's label while it is listed.
class Listed {
 public:
  Listed() {
    LabelList& list = label_list();
    const std::scoped_lock lock(list.mutex);
    own_ = list.labels.emplace(list.labels.end());
  }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;
  ~Listed();
  [[nodiscard]] ThreadLabel* label() noexcept { return &*own_; }

 private:
  std::list<ThreadLabel>::iterator own_;
};

Listed::~Listed() {
  // Scopes that other destructors of the ending thread open go without a label.
  own_label = nullptr;
  thread_is_ending = true;
  LabelList& list = label_list();
  const std::scoped_lock lock(list.mutex);
  list.labels.erase(own_);
}

[[gnu::noinline]] ThreadLabel* list_this_thread() {
  if (thread_is_ending) return nullptr;
  try {
    // Gives the thread its number, too, by which inspect() knows its values.
    if (!local::thread_block.registered) local::register_thread(local::thread_block);
    static thread_local Listed listed;
    own_label = listed.label();
  } catch (const std::bad_alloc&) {
    return nullptr;  // a scope without a label works as well
  }
  return own_label;
}

constexpr std::size_t words_of(std::size_t bytes) noexcept {
  return (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
}

}  // namespace

// The orders: a release store of a word keeps the odd sequence number before it, and an acquire
// load that sees the word keeps the second look at the number behind it; the last store publishes
// all.
void ThreadLabel::write(const Scope* scope, std::uint64_t thread) noexcept {
  const std::uint32_t sequence = sequence_.load(std::memory_order_relaxed);  // its own
  sequence_.store(sequence + 1, std::memory_order_relaxed);
  if (scope == nullptr) {
    depth_.store(0, std::memory_order_release);
  } else {
    depth_.store(scope->depth() + 1, std::memory_order_release);
    thread_.store(thread, std::memory_order_release);
    started_.store(scope->started().time_since_epoch().count(), std::memory_order_release);
    const ScopeName& name = Access::name(*scope);
    const auto words = std::bit_cast<Words>(name);
    const std::size_t used = words_of(name.view().size());
    for (std::size_t i = 0; i < used; ++i) words_[i].store(words[i], std::memory_order_release);
    words_[kWords - 1].store(words[kWords - 1], std::memory_order_release);  // has the length
  }
  sequence_.store(sequence + 2, std::memory_order_release);
}

LabelCopy ThreadLabel::read() const noexcept {
  for (;;) {
    const std::uint32_t before = sequence_.load(std::memory_order_acquire);
    LabelCopy copy;
    copy.depth = depth_.load(std::memory_order_acquire);
    copy.thread = thread_.load(std::memory_order_acquire);
    copy.started = Clock::Steady(Clock::Steady::duration(started_.load(std::memory_order_acquire)));
    Words words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    // Relaxed: the acquire loads above keep it behind them.
    if (before % 2 == 1 || sequence_.load(std::memory_order_relaxed) != before) continue;
    if (copy.depth > 0) copy.name = ScopeName(std::bit_cast<ScopeName>(words).view());
    return copy;
  }
}

void label_this_thread(const Scope* scope) noexcept {
  ThreadLabel* label = own_label;
  if (label == nullptr) [[unlikely]] {
    label = list_this_thread();
    if (label == nullptr) return;
  }
  label->write(scope, local::thread_block.id);
}

std::vector<LabelCopy> read_labels() {
  LabelList& list = label_list();
  std::vector<LabelCopy> copies;
  const std::scoped_lock lock(list.mutex);
  copies.reserve(list.labels.size());
  for (const ThreadLabel& label : list.labels) copies.push_back(label.read());
  return copies;
}

}  // namespace carrel::scope
