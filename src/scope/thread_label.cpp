#include "scope/thread_label.h"

#include <pthread.h>

#include <bit>
#include <list>
#include <mutex>
#include <new>

#include "local/registry.h"

namespace carrel::scope {

constinit thread_local ThreadLabel* own_label [[gnu::tls_model("initial-exec")]] = nullptr;

namespace {

// The one hidden global of this layer: inspect() has nowhere else to begin. Never destroyed, since
// threads may outlive the end of main().
struct LabelList {
  std::mutex mutex;
  std::list<ThreadLabel> labels;  // guarded by mutex
};

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

}  // namespace

ThreadLabel* list_this_thread() noexcept {
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

LabelCopy ThreadLabel::read() const noexcept {
  for (;;) {
    const std::uint32_t before = sequence_.load(std::memory_order_acquire);
    LabelCopy copy;
    copy.depth = depth_.load(std::memory_order_acquire);
    copy.thread = thread_.load(std::memory_order_acquire);
    copy.started_ticks = started_ticks_.load(std::memory_order_acquire);
    Words words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    // Relaxed: the acquire loads above keep it behind them.
    if (before % 2 == 1 || sequence_.load(std::memory_order_relaxed) != before) continue;
    if (copy.depth > 0) copy.name = ScopeName(std::bit_cast<ScopeName>(words).view());
    return copy;
  }
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
