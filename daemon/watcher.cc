#include "daemon/watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/files.h"

namespace couplingd {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// Tells that something happened below the watched directories. Without inotify (its limits are
// reached, or the file system has none) it never does, and the periodic scan is all there is.
class ChangeHint {
 public:
  ChangeHint() : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

  void Watch(const std::string& path) {
    constexpr std::uint32_t kEvents =
        IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR;
    if (fd_.valid()) (void)::inotify_add_watch(fd_.get(), path.c_str(), kEvents);
  }
  int fd() const { return fd_.get(); }
  void Clear() {
    char events[4096];
    while (fd_.valid() && ::read(fd_.get(), events, sizeof events) > 0) {
    }
  }

 private:
  FileDescriptor fd_;
};

class ThreadWatcher final : public Watcher {
 public:
  ThreadWatcher(const RunConfig& run, const WatchConfig& watch,
                std::function<void(Result<ScanResult>, bool)> on_scan)
      : watch_(watch),
        on_scan_(std::move(on_scan)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    options_.root = run.path;
    options_.follow_symlinks = watch.follow_symlinks;
    thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
  }

  ~ThreadWatcher() override {
    thread_.request_stop();
    continued_.notify_all();
    Wake();
  }

  void Continue(std::set<std::string> always) override {
    const std::lock_guard lock(mutex_);
    always_ = std::move(always);
    may_continue_ = true;
    continued_.notify_all();
  }

  void Wake() override {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }

 private:
  void Run(std::stop_token stop) {
    ChangeHint hint;
    SteadyTime next_full{};
    while (!stop.stop_requested()) {
      const SteadyTime now = std::chrono::steady_clock::now();
      const bool full = now >= next_full;
      if (full) next_full = now + watch_.full_scan_interval;
      options_.newest = full ? 0 : ScanOptions{}.newest;
      hint.Watch(options_.root);
      hint.Clear();
      on_scan_(ScanRun(options_), full);
      {
        std::unique_lock lock(mutex_);
        continued_.wait(lock, [&] { return may_continue_ || stop.stop_requested(); });
        may_continue_ = false;
        options_.always = always_;
      }
      for (const std::string& path : options_.always) hint.Watch(path);
      if (!stop.stop_requested()) AwaitChange(hint);
    }
  }

  void AwaitChange(const ChangeHint& hint) {
    std::array<pollfd, 2> polled = {{{wake_.get(), POLLIN, 0}, {hint.fd(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), static_cast<int>(watch_.scan_interval.count()));
    std::uint64_t ignored = 0;
    (void)!::read(wake_.get(), &ignored, sizeof ignored);
  }

  const WatchConfig watch_;
  const std::function<void(Result<ScanResult>, bool)> on_scan_;
  FileDescriptor wake_;
  ScanOptions options_;  // of the thread only

  std::mutex mutex_;
  std::condition_variable continued_;
  std::set<std::string> always_;  // guarded by mutex_
  bool may_continue_ = false;     // guarded by mutex_
  std::jthread thread_;           // last: joined before the rest goes
};

}  // namespace

std::unique_ptr<Watcher> MakeWatcher(const RunConfig& run, const WatchConfig& watch,
                                     std::function<void(Result<ScanResult>, bool)> on_scan) {
  return std::make_unique<ThreadWatcher>(run, watch, std::move(on_scan));
}

}  // namespace couplingd
