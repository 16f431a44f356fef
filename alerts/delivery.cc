#include "alerts/delivery.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "alerts/outbox.h"
#include "alerts/store_gateway.h"
#include "base/hash.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr milliseconds kStoreRetry = 1s;

// The answer of a store task. Whoever waits may leave; the task still finds a place to put its
// answer.
template <typename T>
class Reply {
 public:
  // The task is gone once the last copy of its ticket is.
  class Ticket {
   public:
    explicit Ticket(std::shared_ptr<Reply> reply) : reply_(std::move(reply)) {}
    ~Ticket() { reply_->Close(); }
    void Answer(Result<T> value) { reply_->Put(std::move(value)); }

   private:
    std::shared_ptr<Reply> reply_;
  };

  // nullopt where the wait was stopped or the task was dropped.
  std::optional<Result<T>> Wait(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [&] { return value_ || closed_; });
    return std::move(value_);
  }

 private:
  void Put(Result<T> value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    changed_.notify_all();
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<Result<T>> value_;
  bool closed_ = false;
};

template <typename T>
std::optional<Result<T>> AskStore(const StoreExecutor& on_store_thread, std::stop_token stop,
                                  std::function<Result<T>(HistoryWriter&)> question) {
  auto reply = std::make_shared<Reply<T>>();
  {
    auto ticket = std::make_shared<typename Reply<T>::Ticket>(reply);
    on_store_thread([ticket, question = std::move(question)](HistoryWriter& writer) {
      ticket->Answer(question(writer));
    });
  }
  return reply->Wait(std::move(stop));
}

}  // namespace

class DeliveryLoop::Impl {
 public:
  Impl(std::vector<std::shared_ptr<Sink>> sinks, StoreExecutor on_store_thread, const Clock& clock,
       DeliveryHooks hooks, const DeliveryOptions& options)
      : on_store_thread_(std::move(on_store_thread)), clock_(clock), hooks_(std::move(hooks)) {
    for (std::shared_ptr<Sink>& sink : sinks) {
      auto worker = std::make_unique<Worker>(std::move(sink), clock_.Steady());
      worker->memory->sink = worker->sink->Name();
      worker->memory->traits = worker->sink->Traits();
      worker->memory->options = options;
      workers_.push_back(std::move(worker));
    }
  }

  ~Impl() {
    for (const auto& worker : workers_) worker->thread.request_stop();
    drain_timer_.request_stop();
    for (const auto& worker : workers_) {
      if (worker->thread.joinable()) worker->thread.join();
    }
    if (drain_timer_.joinable()) drain_timer_.join();
  }

  void Start() {
    std::set<std::string> names;
    for (const auto& worker : workers_) names.insert(worker->sink->Name());
    on_store_thread_(
        [names, now = clock_.Now(), report = hooks_.on_store_error](HistoryWriter& writer) {
          const Status buried = BuryRemovedSinks(writer, names, now);
          if (!buried && report) report("", buried.error());
        });
    running_ = workers_.size();
    for (const auto& worker : workers_) {
      worker->thread = std::jthread(
          [this, &worker = *worker](std::stop_token stop) { RunWorker(std::move(stop), worker); });
    }
  }

  void Wake() {
    const std::lock_guard lock(mutex_);
    ++wakes_;
    changed_.notify_all();
  }

  void Drain(const DrainOptions& options, std::function<void()> done) {
    bool has_ended = false;
    {
      const std::lock_guard lock(mutex_);
      if (drain_) return;
      drain_ = options;
      drain_deadline_ = clock_.Steady() + options.limit;
      has_ended = running_ == 0;
      if (!has_ended) done_ = std::move(done);
      changed_.notify_all();
    }
    if (has_ended) return done();
    drain_timer_ = std::jthread([this, limit = options.limit](std::stop_token stop) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, limit, [&] { return running_ == 0; });
      for (const auto& worker : workers_) worker->thread.request_stop();
    });
  }

 private:
  struct Worker {
    Worker(std::shared_ptr<Sink> s, std::chrono::steady_clock::time_point now)
        : sink(std::move(s)), bucket(sink->Traits().pace, now) {}
    const std::shared_ptr<Sink> sink;
    // Shared with store tasks, which may outlive the loop; they run one after the other.
    const std::shared_ptr<SinkMemory> memory = std::make_shared<SinkMemory>();
    // The worker's thread only.
    TokenBucket bucket;
    std::optional<UnixMillis> refresh_at;
    std::jthread thread;
  };

  void RunWorker(std::stop_token stop, Worker& worker) {
    while (!stop.stop_requested()) {
      const std::uint64_t wakes = Wakes();
      const std::optional<Work> work = NextWork(stop, worker);
      if (!work) {
        Pause(stop, kStoreRetry);
      } else if (IsRefreshDue(worker)) {
        Refresh(stop, worker);
      } else if (!work->notification) {
        if (IsDrained(*work)) break;
        PauseUntilWoken(stop, wakes, Earlier(work->next_at, worker.refresh_at));
      } else if (const milliseconds wait = worker.bucket.Take(clock_.Steady()); wait > 0ms) {
        Pause(stop, wait);
      } else {
        Deliver(stop, worker, *work->notification);
      }
    }
    Finish();
  }

  std::optional<Work> NextWork(std::stop_token stop, Worker& worker) {
    auto answer = AskStore<Work>(
        on_store_thread_, std::move(stop),
        [memory = worker.memory, now = clock_.Now(), hurry = IsDraining()](HistoryWriter& writer) {
          return FindWork(writer, *memory, now, hurry);
        });
    return Unwrap(worker, std::move(answer));
  }

  bool IsRefreshDue(Worker& worker) const {
    const auto& every = worker.memory->traits.refresh_every;
    if (!every) return false;
    if (!worker.refresh_at) worker.refresh_at = clock_.Now();
    return *worker.refresh_at <= clock_.Now();
  }

  // Says again what the sink knows, should its peer have forgotten. A failure shows as a failure of
  // the next delivery does, but keeps nothing back.
  void Refresh(std::stop_token stop, Worker& worker) {
    worker.refresh_at = clock_.Now() + worker.memory->traits.refresh_every->count();
    auto answer = AskStore<std::vector<Alert>>(
        on_store_thread_, stop,
        [memory = worker.memory, now = clock_.Now()](HistoryWriter& writer) {
          return FindRefresh(writer, *memory, now);
        });
    const auto alerts = Unwrap(worker, std::move(answer));
    if (!alerts || alerts->empty()) return;
    const DeliveryOutcome outcome = worker.sink->Refresh(*alerts, stop);
    if (hooks_.on_refresh) hooks_.on_refresh(worker.sink->Name(), outcome);
  }

  static std::optional<UnixMillis> Earlier(std::optional<UnixMillis> a,
                                           std::optional<UnixMillis> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
  }

  // Once sent, the outcome is stored however often that takes: what was acknowledged is not sent
  // again.
  void Deliver(std::stop_token stop, Worker& worker, const Notification& notification) {
    const auto begin = clock_.Steady();
    const DeliveryOutcome outcome = worker.sink->Send(notification, stop);
    const auto took = std::chrono::duration_cast<milliseconds>(clock_.Steady() - begin);
    if (outcome.result == DeliveryResult::kCancelled) return;
    std::optional<std::vector<Delivery>> recorded;
    do {
      if (recorded = Record(stop, worker, notification, outcome); recorded) break;
      Pause(stop, kStoreRetry);
    } while (!stop.stop_requested());
    if (!hooks_.on_attempt) return;
    hooks_.on_attempt({worker.sink->Name(), notification.delivery_id,
                       notification.news.front().delivery.attempts + 1, outcome, took,
                       recorded && recorded->front().state == "dead"});
  }

  std::optional<std::vector<Delivery>> Record(std::stop_token stop, Worker& worker,
                                              const Notification& sent,
                                              const DeliveryOutcome& outcome) {
    auto answer = AskStore<std::vector<Delivery>>(
        on_store_thread_, std::move(stop),
        [memory = worker.memory, sent, outcome, now = clock_.Now()](HistoryWriter& writer) {
          return RecordOutcome(writer, *memory, sent, outcome, now);
        });
    return Unwrap(worker, std::move(answer));
  }

  template <typename T>
  std::optional<T> Unwrap(const Worker& worker, std::optional<Result<T>> answer) {
    if (!answer) return std::nullopt;
    if (*answer) return std::move(**answer);
    if (hooks_.on_store_error) hooks_.on_store_error(worker.sink->Name(), answer->error());
    return std::nullopt;
  }

  bool IsDrained(const Work& work) {
    const std::lock_guard lock(mutex_);
    if (!drain_) return false;
    if (!drain_->await_retries || !work.next_at) return true;
    const milliseconds until_due(*work.next_at - clock_.Now());
    return clock_.Steady() + until_due > drain_deadline_;
  }

  bool IsDraining() {
    const std::lock_guard lock(mutex_);
    return drain_.has_value();
  }

  std::uint64_t Wakes() {
    const std::lock_guard lock(mutex_);
    return wakes_;
  }

  void Pause(std::stop_token stop, milliseconds span) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, span, [] { return false; });
  }

  void PauseUntilWoken(std::stop_token stop, std::uint64_t wakes, std::optional<UnixMillis> until) {
    std::unique_lock lock(mutex_);
    const bool was_draining = drain_.has_value();
    const auto woken = [&] { return wakes_ != wakes || drain_.has_value() != was_draining; };
    if (!until) {
      changed_.wait(lock, stop, woken);
    } else {
      const milliseconds span(std::max<std::int64_t>(*until - clock_.Now(), 1));
      changed_.wait_for(lock, stop, span, woken);
    }
  }

  void Finish() {
    std::function<void()> done;
    {
      const std::lock_guard lock(mutex_);
      if (--running_ == 0) done = std::move(done_);
      changed_.notify_all();
    }
    if (done) done();
  }

  // Constant after construction.
  const StoreExecutor on_store_thread_;
  const Clock& clock_;
  const DeliveryHooks hooks_;
  std::vector<std::unique_ptr<Worker>> workers_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  // Guarded by mutex_.
  std::uint64_t wakes_ = 0;
  std::size_t running_ = 0;
  std::optional<DrainOptions> drain_;
  std::chrono::steady_clock::time_point drain_deadline_;
  std::function<void()> done_;

  std::jthread drain_timer_;
};

DeliveryLoop::DeliveryLoop(std::vector<std::shared_ptr<Sink>> sinks, StoreExecutor on_store_thread,
                           const Clock& clock, DeliveryHooks hooks, const DeliveryOptions& options)
    : impl_(std::make_unique<Impl>(std::move(sinks), std::move(on_store_thread), clock,
                                   std::move(hooks), options)) {}
DeliveryLoop::~DeliveryLoop() = default;
void DeliveryLoop::Start() { impl_->Start(); }
void DeliveryLoop::Wake() { impl_->Wake(); }
void DeliveryLoop::Drain(const DrainOptions& options, std::function<void()> done) {
  impl_->Drain(options, std::move(done));
}

std::vector<TestAnswer> SendTestAlert(const std::vector<std::shared_ptr<Sink>>& sinks,
                                      const Clock& clock, std::stop_token stop) {
  const UnixMillis now = clock.Now();
  Alert alert;
  alert.key = HashHex("couplingctl alerts test");
  alert.sequence = 1;
  alert.starts_at = now;
  alert.is_test = true;
  alert.finding.rule = "test";
  alert.finding.kind = "test";
  alert.finding.active = true;
  alert.finding.severity = Severity::kInfo;
  alert.finding.summary = "test alert of couplingd";
  alert.finding.description =
      "Someone ran couplingctl alerts test. If you can read this, alerts reach you here.";
  alert.finding.labels = {{"alertname", "test"}, {"severity", "info"}};

  std::vector<TestAnswer> answers(sinks.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    threads.emplace_back([&, i] {
      const std::string& sink = sinks[i]->Name();
      Notification notification;
      notification.delivery_id = HashHex(fmt::format("test:{}:{}", sink, now));
      AlertNews& news = notification.news.emplace_back();
      news.alert = alert;
      news.delivery.delivery_id = notification.delivery_id;
      news.delivery.sink = sink;
      news.delivery.alert_key = alert.key;
      const auto begin = clock.Steady();
      answers[i].sink = sink;
      answers[i].outcome = sinks[i]->Send(notification, stop);
      answers[i].took = std::chrono::duration_cast<milliseconds>(clock.Steady() - begin);
    });
  }
  threads.clear();
  return answers;
}

}  // namespace couplingd
