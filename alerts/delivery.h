// Delivers what lies in the outbox: one thread per sink, so that a sink that hangs delays no other.
// The store is touched only through the executor, on the thread that owns the writer; the network
// is touched only on the sinks' threads.
//
// At least once: a row leaves "pending" only by a recorded outcome. A crash between the peer's
// acknowledgement and the record sends the same delivery id once more.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "alerts/sink.h"
#include "base/clock.h"
#include "base/result.h"
#include "history/store.h"

namespace couplingd {

// Runs the task with the writer, soon, on the thread that owns it; may be called from any thread
// and need not wait. A task that will never run has to be destroyed.
using StoreExecutor = std::function<void(std::function<void(HistoryWriter&)> task)>;

// For logs and metrics; called on the sinks' threads.
struct DeliveryHooks {
  struct Attempt {
    std::string sink;
    std::string delivery_id;
    int attempt = 1;
    DeliveryOutcome outcome;
    std::chrono::milliseconds took{0};
    bool given_up = false;  // the row is dead now
  };
  std::function<void(const Attempt&)> on_attempt;
  std::function<void(const std::string& sink, const DeliveryOutcome& outcome)> on_refresh;
  std::function<void(const std::string& sink, const Error& error)> on_store_error;
};

struct DeliveryOptions {
  int storm = 100;  // more alerts than these waiting for one sink go into one digest
  // The trajectory behind an alert as PNG, empty where there is none; called with the writer's
  // reader on the thread that owns it.
  std::function<std::string(HistoryReader&, const Alert&)> chart = {};
};

struct DrainOptions {
  std::chrono::milliseconds limit{10000};
  bool await_retries = false;  // also wait for what becomes due within the limit
};

struct TestAnswer {
  std::string sink;
  DeliveryOutcome outcome;
  std::chrono::milliseconds took{0};
};

// Start, Drain and the destructor are called from one thread; Wake from any.
class DeliveryLoop {
 public:
  DeliveryLoop(std::vector<std::shared_ptr<Sink>> sinks, StoreExecutor on_store_thread,
               const Clock& clock, DeliveryHooks hooks = {}, const DeliveryOptions& options = {});
  // Stops at once: a send in progress is cancelled (within about a second, or when the sink's
  // timeout is over) and its row stays pending. Never waits for the store.
  ~DeliveryLoop();
  DeliveryLoop(const DeliveryLoop&) = delete;
  DeliveryLoop& operator=(const DeliveryLoop&) = delete;

  // Buries the pending rows of sinks that are not here, then begins to deliver.
  void Start();
  // There may be something new in the outbox. Call it after the transaction with AddDelivery has
  // committed.
  void Wake();
  // Delivers what is due or was not tried yet, at most for the limit, then ends the threads and
  // calls `done` (on one of them: post from it, do not destroy the loop in it). The rest stays in
  // the outbox. The store thread has to keep running tasks meanwhile.
  void Drain(const DrainOptions& options, std::function<void()> done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Sends one alert marked as a test to every sink at the same time and waits for all answers;
// nothing is stored. Blocks for as long as the slowest sink's timeout: not for the thread that owns
// the store.
std::vector<TestAnswer> SendTestAlert(const std::vector<std::shared_ptr<Sink>>& sinks,
                                      const Clock& clock, std::stop_token stop = {});

// Pending rows of sinks that are no longer configured become dead, with an event for each such
// sink.
Status BuryRemovedSinks(HistoryWriter& writer, const std::set<std::string>& configured,
                        UnixMillis now);

}  // namespace couplingd
