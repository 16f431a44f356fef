// A thread that owns the writer, as the daemon's main thread does.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "alerts/delivery.h"
#include "history/store.h"

namespace couplingd::testing {

class StoreThread {
 public:
  StoreThread(const std::string& directory, const Clock& clock)
      : thread_([this, directory, &clock](std::stop_token stop) { Run(stop, directory, clock); }) {}

  StoreExecutor Executor() {
    return [this](std::function<void(HistoryWriter&)> task) {
      const std::lock_guard lock(mutex_);
      if (!dropping_) tasks_.push_back(std::move(task));
      changed_.notify_all();
    };
  }
  // Runs the task there and waits.
  void Do(std::function<void(HistoryWriter&)> task) {
    std::promise<void> done;
    Executor()([&](HistoryWriter& writer) {
      task(writer);
      done.set_value();
    });
    done.get_future().wait();
  }
  // From now on tasks are destroyed unrun, as by a process that dies.
  void DropEverything() {
    const std::lock_guard lock(mutex_);
    dropping_ = true;
    tasks_.clear();
  }
  std::size_t Count(const std::string& state) {
    std::size_t count = 0;
    Do([&](HistoryWriter& writer) { count = writer.reader().Deliveries(state).value().size(); });
    return count;
  }

 private:
  void Run(std::stop_token stop, const std::string& directory, const Clock& clock) {
    const std::unique_ptr<HistoryWriter> writer = HistoryWriter::Open(directory, clock).value();
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return !tasks_.empty(); })) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task(*writer);
      task = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void(HistoryWriter&)>> tasks_;
  bool dropping_ = false;
  std::jthread thread_;
};

}  // namespace couplingd::testing
