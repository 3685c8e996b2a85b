#include "scope/thread_label.h"

#include <pthread.h>

#include <bit>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "local/registry.h"
#include "scope/end_of_thread.h"

namespace carrel::scope {

constinit thread_local ThreadLabel* own_label [[gnu::tls_model("initial-exec")]] = nullptr;

namespace {

struct Listed {
  ThreadLabel label;
  Listed* next = nullptr;
  Listed* previous = nullptr;
};

// The one hidden global of this layer: inspect() has nowhere else to begin. Constant-initialised
// and never destroyed, since threads may outlive the end of main().
//
// Nothing is allocated or freed under its lock: the program's operator new may open a scope itself.
class LabelList {
 public:
  void add(Listed& listed) noexcept {
    const std::scoped_lock lock(mutex_);
    listed.next = first_;
    if (first_ != nullptr) first_->previous = &listed;
    first_ = &listed;
  }
  void remove(Listed& listed) noexcept {
    const std::scoped_lock lock(mutex_);
    unlink(listed);
  }
  // Calls `f` with every label, under the lock.
  template <class F>
  void for_each(F&& f) {
    const std::scoped_lock lock(mutex_);
    for (const Listed* listed = first_; listed != nullptr; listed = listed->next) f(listed->label);
  }
  // For fork: no thread is in the middle of a change meanwhile.
  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }
  // With the lock held. Takes all labels but that one out, and returns them, linked by `next`.
  [[nodiscard]] Listed* take_all_but(const ThreadLabel* own) noexcept {
    Listed* taken = nullptr;
    for (Listed* listed = first_; listed != nullptr;) {
      Listed* const next = listed->next;
      if (&listed->label != own) {
        unlink(*listed);
        listed->next = std::exchange(taken, listed);
      }
      listed = next;
    }
    return taken;
  }

 private:
  void unlink(Listed& listed) noexcept {
    (listed.previous == nullptr ? first_ : listed.previous->next) = listed.next;
    if (listed.next != nullptr) listed.next->previous = listed.previous;
  }

  std::mutex mutex_;
  Listed* first_ = nullptr;  // guarded by mutex_
};
constinit LabelList label_list;

constinit thread_local bool thread_is_ending = false;

// A forked child has one thread: the labels of the others say nothing any more.
void keep_own_label_after_fork() noexcept {
  Listed* others = label_list.take_all_but(own_label);
  label_list.unlock();
  while (others != nullptr) delete std::exchange(others, others->next);
}

void install_fork_handlers() {
  struct Handlers {
    Handlers() {
      const auto lock = [] { label_list.lock(); };
      const auto unlock = [] { label_list.unlock(); };
      if (::pthread_atfork(lock, unlock, &keep_own_label_after_fork) != 0) throw std::bad_alloc();
    }
  };
  static const Handlers installed;  // tried again by the next thread if it throws
}

void forget_this_thread(void* listed) noexcept {
  // Scopes that other destructors of the ending thread open go without a label.
  own_label = nullptr;
  thread_is_ending = true;
  auto* const own = static_cast<Listed*>(listed);
  label_list.remove(*own);
  delete own;
}

}  // namespace

ThreadLabel* list_this_thread() noexcept {
  if (thread_is_ending) return nullptr;
  try {
    // Gives the thread its number, too, by which inspect() knows its values.
    if (!local::thread_block.registered) local::register_thread(local::thread_block);
    install_fork_handlers();
    static const EndOfThread end(&forget_this_thread);
    auto own = std::make_unique<Listed>();
    // The program's operator new may have opened a scope itself.
    if (own_label != nullptr || !end.call_with(own.get())) return own_label;
    label_list.add(*own);
    own_label = &own.release()->label;
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
  std::vector<LabelCopy> copies;
  // The room comes first, and grows until all fit.
  for (std::size_t labels = 1; labels > copies.capacity();) {
    copies.reserve(labels * 2);
    copies.clear();
    labels = 0;
    label_list.for_each([&](const ThreadLabel& label) {
      if (++labels <= copies.capacity()) copies.push_back(label.read());
    });
  }
  return copies;
}

}  // namespace carrel::scope
