// The threads of delivery over the real store, with sinks that fail as the tests say.
#include "alerts/delivery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <thread>

#include "tests/alerts/store_thread.h"
#include "tests/alerts/test_support.h"
#include "tests/eventually.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::AlertWith;
using testing::kDelivered;
using testing::kPermanent;
using testing::kRetry;
using testing::StoreThread;
using testing::TemporaryFolder;

// A sink whose outcomes are chosen by a function, that remembers what it was sent.
class ScriptedSink final : public Sink {
 public:
  using Script = std::function<DeliveryOutcome(const Notification&, std::stop_token)>;
  ScriptedSink(std::string name, Script script)
      : name_(std::move(name)), script_(std::move(script)) {}
  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override { return {.pace = {.per_second = 1000, .burst = 1000}}; }
  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    {
      const std::lock_guard lock(mutex_);
      sent_.push_back(notification);
    }
    return script_(notification, stop);
  }
  std::vector<Notification> Sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

 private:
  const std::string name_;
  const Script script_;
  mutable std::mutex mutex_;
  std::vector<Notification> sent_;
};

std::shared_ptr<ScriptedSink> Always(const std::string& name, const DeliveryOutcome& outcome) {
  return std::make_shared<ScriptedSink>(
      name, [outcome](const Notification&, std::stop_token) { return outcome; });
}

std::shared_ptr<ScriptedSink> Hanging(const std::string& name) {
  return std::make_shared<ScriptedSink>(name, [](const Notification&, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait(lock, stop, [] { return false; });
    return DeliveryOutcome{DeliveryResult::kCancelled, std::nullopt, "stopped"};
  });
}

class Delivering : public ::testing::Test {
 protected:
  void Save(StoreThread& store, const std::string& key, std::int64_t sequence,
            const std::vector<std::string>& sinks) {
    store.Do([&](HistoryWriter& writer) {
      ASSERT_TRUE(testing::SaveFor(writer, AlertWith(key, sequence), sinks));
    });
  }
  // Drains and waits for the end.
  static std::chrono::milliseconds DrainAndWait(DeliveryLoop& loop, const DrainOptions& options) {
    std::promise<void> done;
    const auto begin = std::chrono::steady_clock::now();
    loop.Drain(options, [&] { done.set_value(); });
    done.get_future().wait();
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 begin);
  }

  TemporaryFolder folder_;
  SystemClock clock_;
};

TEST_F(Delivering, OneHangingSinkDelaysNoOther) {
  StoreThread store(folder_.path() + "/state", clock_);
  const auto good = Always("good", kDelivered);
  const auto hanging = Hanging("hanging");
  DeliveryLoop loop({good, hanging}, store.Executor(), clock_);
  loop.Start();
  for (int i = 0; i < 20; ++i) {
    Save(store, "k" + std::to_string(i), 1, {"good", "hanging"});
    const auto begin = std::chrono::steady_clock::now();
    loop.Wake();
    ASSERT_TRUE(Eventually([&] { return good->Sent().size() == static_cast<std::size_t>(i) + 1; }));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  }
  EXPECT_EQ(hanging->Sent().size(), 1u);
  EXPECT_TRUE(Eventually([&] { return store.Count("delivered") == 20; }));
}

TEST_F(Delivering, DrainsWhatIsDueAndLeavesTheRestInTheOutbox) {
  StoreThread store(folder_.path() + "/state", clock_);
  for (int i = 0; i < 5; ++i)
    Save(store, "k" + std::to_string(i), 1, {"good", "failing", "hanging"});
  const auto good = Always("good", kDelivered);
  const auto failing = Always("failing", kRetry);
  DeliveryLoop loop({good, failing, Hanging("hanging")}, store.Executor(), clock_);
  loop.Start();
  const auto took = DrainAndWait(loop, {.limit = 3s});
  EXPECT_LT(took, 10s);
  EXPECT_EQ(store.Count("delivered"), 5u);
  EXPECT_EQ(store.Count("pending"), 10u);
}

TEST_F(Delivering, DrainsAtOnceWhereNothingIsDue) {
  StoreThread store(folder_.path() + "/state", clock_);
  DeliveryLoop loop({Always("a", kDelivered), Always("b", kDelivered)}, store.Executor(), clock_);
  loop.Start();
  EXPECT_LT(DrainAndWait(loop, {.limit = 60s}), 5s);
}

TEST_F(Delivering, WaitsForRetriesWhileDrainingIfToldTo) {
  StoreThread store(folder_.path() + "/state", clock_);
  Save(store, "k", 1, {"flaky"});
  std::atomic<int> attempts = 0;
  const auto flaky = std::make_shared<ScriptedSink>(
      "flaky",
      [&](const Notification&, std::stop_token) { return ++attempts < 2 ? kRetry : kDelivered; });
  DeliveryLoop loop({flaky}, store.Executor(), clock_);
  loop.Start();
  DrainAndWait(loop, {.limit = 30s, .await_retries = true});
  EXPECT_EQ(store.Count("delivered"), 1u);
  EXPECT_EQ(flaky->Sent()[0].delivery_id, flaky->Sent()[1].delivery_id);
}

TEST_F(Delivering, SendsTheSameIdAgainAfterDyingBetweenSendingAndRecording) {
  std::string first_id;
  {
    StoreThread store(folder_.path() + "/state", clock_);
    Save(store, "k", 1, {"sink"});
    const auto sink =
        std::make_shared<ScriptedSink>("sink", [&](const Notification&, std::stop_token) {
          store.DropEverything();
          return kDelivered;
        });
    DeliveryLoop loop({sink}, store.Executor(), clock_);
    loop.Start();
    ASSERT_TRUE(Eventually([&] { return !sink->Sent().empty(); }));
    first_id = sink->Sent()[0].delivery_id;
  }
  StoreThread store(folder_.path() + "/state", clock_);
  const auto sink = Always("sink", kDelivered);
  DeliveryLoop loop({sink}, store.Executor(), clock_);
  loop.Start();
  ASSERT_TRUE(Eventually([&] { return store.Count("delivered") == 1; }));
  ASSERT_EQ(sink->Sent().size(), 1u);
  EXPECT_EQ(sink->Sent()[0].delivery_id, first_id);
}

// Sinks that fail at random, and a loop that is torn down at random moments: in the end each sink
// knows the final state of each alert, saw no transition after a later one, and got nothing again
// that it had acknowledged but for one message at each crash.
TEST_F(Delivering, LosesNothingAndKeepsTheOrderThroughCrashes) {
  constexpr int kRounds = 30, kKeys = 6;
  std::map<std::string, std::vector<std::pair<std::int64_t, bool>>>
      wire;  // "sink/key" → (sequence, acknowledged)
  std::mutex mutex;
  std::atomic<unsigned> random = 1;
  const auto next = [&] { return (random = random * 1664525u + 1013904223u) >> 16; };
  const auto script = [&](const std::string& sink) {
    return [&, sink](const Notification& notification, std::stop_token) {
      // What arrives although the acknowledgement is lost is the hardest case.
      const bool acknowledged = next() % 3 != 0;
      const std::lock_guard lock(mutex);
      wire[sink + "/" + notification.news.front().alert.key].emplace_back(
          notification.news.front().alert.sequence, acknowledged);
      return acknowledged ? kDelivered : DeliveryOutcome{DeliveryResult::kRetry, {}, "reset"};
    };
  };
  std::vector<std::int64_t> sequences(kKeys, 0);
  // Time runs a thousandfold, so that retries come within milliseconds.
  class FastClock final : public Clock {
   public:
    UnixMillis Now() const override { return 1795442700000 + Elapsed() * 1000; }
    std::chrono::steady_clock::time_point Steady() const override {
      return std::chrono::steady_clock::now();
    }

   private:
    std::int64_t Elapsed() const {
      return std::chrono::duration_cast<std::chrono::milliseconds>(
                 std::chrono::steady_clock::now() - begin_)
          .count();
    }
    const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  } fast;
  const auto sinks = [&] {
    return std::vector<std::shared_ptr<Sink>>{std::make_shared<ScriptedSink>("one", script("one")),
                                              std::make_shared<ScriptedSink>("two", script("two"))};
  };
  for (int round = 0; round < kRounds; ++round) {
    StoreThread store(folder_.path() + "/state", fast);
    DeliveryLoop loop(sinks(), store.Executor(), fast);
    loop.Start();
    for (int i = 0; i < 3; ++i) {
      const std::size_t key = next() % kKeys;
      Save(store, std::to_string(key), ++sequences[key], {"one", "two"});
      loop.Wake();
      std::this_thread::sleep_for(std::chrono::milliseconds(next() % 8));
    }
    store.DropEverything();
  }
  StoreThread store(folder_.path() + "/state", fast);
  DeliveryLoop loop(sinks(), store.Executor(), fast);
  loop.Start();
  ASSERT_TRUE(Eventually([&] {
    loop.Wake();
    return store.Count("pending") == 0;
  }));
  EXPECT_EQ(store.Count("dead"), 0u);
  const std::lock_guard lock(mutex);
  for (const char* sink : {"one", "two"}) {
    int repeats = 0;  // after an acknowledgement
    for (int key = 0; key < kKeys; ++key) {
      if (sequences[key] == 0) continue;
      const auto& sent = wire[std::string(sink) + "/" + std::to_string(key)];
      ASSERT_FALSE(sent.empty());
      EXPECT_EQ(sent.back(), std::pair(sequences[key], true)) << sink << "/" << key;
      EXPECT_TRUE(std::ranges::is_sorted(sent, {}, [](const auto& each) { return each.first; }));
      for (std::size_t i = 1; i < sent.size(); ++i) {
        repeats += sent[i].first == sent[i - 1].first && sent[i - 1].second;
      }
    }
    EXPECT_LE(repeats, kRounds) << sink;
  }
}

TEST_F(Delivering, EndsWhileTheStoreAnswersNothing) {
  const auto sink = Always("sink", kDelivered);
  std::deque<std::function<void(HistoryWriter&)>> never_run;
  std::mutex mutex;
  const auto begin = std::chrono::steady_clock::now();
  {
    DeliveryLoop loop(
        {sink},
        [&](std::function<void(HistoryWriter&)> task) {
          const std::lock_guard lock(mutex);
          never_run.push_back(std::move(task));
        },
        clock_);
    loop.Start();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST_F(Delivering, ReportsEachAttempt) {
  StoreThread store(folder_.path() + "/state", clock_);
  Save(store, "k", 1, {"sink"});
  std::promise<DeliveryHooks::Attempt> attempted;
  DeliveryLoop loop(
      {Always("sink", kPermanent)}, store.Executor(), clock_,
      {.on_attempt = [&](const DeliveryHooks::Attempt& attempt) { attempted.set_value(attempt); }});
  loop.Start();
  const auto attempt = attempted.get_future().get();
  EXPECT_EQ(attempt.sink, "sink");
  EXPECT_EQ(attempt.attempt, 1);
  EXPECT_EQ(attempt.outcome.text, "HTTP 404");
  EXPECT_TRUE(attempt.given_up);
}

TEST_F(Delivering, SendsTestAlertsToAllSinksAndShowsTheAnswers) {
  const auto good = Always("good", kDelivered);
  const auto bad = Always("bad", kPermanent);
  const auto answers = SendTestAlert({good, bad}, clock_);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].sink, "good");
  EXPECT_EQ(answers[0].outcome.result, DeliveryResult::kDelivered);
  EXPECT_EQ(answers[1].outcome.text, "HTTP 404");
  EXPECT_TRUE(good->Sent()[0].news.front().alert.is_test);
  EXPECT_NE(good->Sent()[0].delivery_id, bad->Sent()[0].delivery_id);
}

}  // namespace
}  // namespace couplingd
