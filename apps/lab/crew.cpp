#include "lab/crew.h"

namespace carrel::lab {

Crew::Crew(std::size_t threads)
    : begin_(static_cast<std::ptrdiff_t>(threads) + 1),
      end_(static_cast<std::ptrdiff_t>(threads) + 1) {
  for (std::size_t n = 0; n < threads; ++n)
    threads_.emplace_back([this, n] {
      for (;;) {
        begin_.arrive_and_wait();
        if (task_ == nullptr) return;
        (*task_)(n);
        end_.arrive_and_wait();
      }
    });
}

Crew::~Crew() {
  task_ = nullptr;
  begin_.arrive_and_wait();
  for (std::thread& thread : threads_) thread.join();
}

void Crew::each(const std::function<void(std::size_t)>& task) {
  task_ = &task;
  begin_.arrive_and_wait();
  end_.arrive_and_wait();
}

}  // namespace carrel::lab
