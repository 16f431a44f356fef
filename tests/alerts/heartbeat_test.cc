#include "alerts/heartbeat.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/alerts/local_server.h"
#include "tests/alerts/test_support.h"
#include "tests/eventually.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::ExampleNotification;
using testing::LocalServer;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::TemporaryFolder;

class HeartbeatTest : public ::testing::Test {
 protected:
  std::unique_ptr<Heartbeat> Start(std::chrono::milliseconds interval,
                                   const std::string& method = "POST") {
    HeartbeatConfig config;
    config.url_file = folder_.File("url", server_.Url("/ping/SECRETCHECKID"));
    config.interval = interval;
    config.method = method;
    config.allow_private = true;
    auto heartbeat =
        Heartbeat::Start(config, {*http_, clock_}, [this](bool well, const std::string& text) {
          const std::lock_guard lock(mutex_);
          changes_.push_back((well ? "well: " : "not well: ") + text);
        });
    EXPECT_TRUE(heartbeat) << heartbeat.error().Text();
    return std::move(*heartbeat);
  }
  std::vector<std::string> Changes() {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  std::size_t Calls() const { return server_.Requests().size(); }

  const TemporaryFolder folder_;
  const SystemClock clock_;
  const std::unique_ptr<HttpClient> http_ = MakeCurlHttpClient();
  std::atomic<int> status_ = 200;
  LocalServer server_{[this](const ServedRequest&) {
    return ServedAnswer{.status = status_, .body = "/ping/SECRETCHECKID"};
  }};
  std::mutex mutex_;
  std::vector<std::string> changes_;
};

TEST_F(HeartbeatTest, CallsForAFullCycleAndNotWithoutOne) {
  const auto heartbeat = Start(1ms);
  heartbeat->Beat();
  ASSERT_TRUE(Eventually([&] { return Calls() == 1; }));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(Calls(), 1u) << "nothing went well since";
  heartbeat->Beat();
  EXPECT_TRUE(Eventually([&] { return Calls() == 2; }));
  EXPECT_EQ(server_.Requests()[0].method, "POST");
  EXPECT_EQ(server_.Requests()[0].target, "/ping/SECRETCHECKID");
  EXPECT_TRUE(Changes().empty());
}

TEST_F(HeartbeatTest, CallsOnceAnIntervalHoweverManyCyclesThereAre) {
  const auto heartbeat = Start(1h, "GET");
  for (int turn = 0; turn < 100; ++turn) heartbeat->Beat();
  ASSERT_TRUE(Eventually([&] { return Calls() == 1; }));
  for (int turn = 0; turn < 100; ++turn) heartbeat->Beat();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(Calls(), 1u);
  EXPECT_EQ(server_.Requests()[0].method, "GET");
}

TEST_F(HeartbeatTest, TellsOnceThatItIsNotHeardAndOnceThatItIsAgainWithoutItsAddress) {
  status_ = 500;
  const auto heartbeat = Start(5ms);
  heartbeat->Beat();
  ASSERT_TRUE(Eventually([&] { return Calls() >= 3; })) << "it tries again";
  status_ = 200;
  ASSERT_TRUE(Eventually([&] { return Changes().size() == 2; }));
  EXPECT_EQ(Changes()[0].find("not well: HTTP 500"), 0u) << Changes()[0];
  EXPECT_EQ(Changes()[1].find("well: HTTP 200"), 0u) << Changes()[1];
  for (const std::string& text : Changes()) EXPECT_EQ(text.find("SECRET"), std::string::npos);
}

TEST_F(HeartbeatTest, EndsWithoutWaitingForItsInterval) {
  auto heartbeat = Start(1h);
  heartbeat->Beat();
  ASSERT_TRUE(Eventually([&] { return Calls() == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  heartbeat.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

class BlockedSink final : public Sink {
 public:
  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override { return {}; }
  DeliveryOutcome Send(const Notification&, std::stop_token) override {
    std::unique_lock lock(mutex);
    ++entered;
    changed.notify_all();
    changed.wait(lock, [this] { return may_leave; });
    return {};
  }
  std::mutex mutex;
  std::condition_variable changed;
  int entered = 0;
  bool may_leave = false;

 private:
  const std::string name_ = "blocked";
};

TEST(WatchedSinkTest, KnowsForHowLongItHasBeenBusy) {
  ManualClock clock(1000);
  auto inner = std::make_unique<BlockedSink>();
  BlockedSink* const blocked = inner.get();
  WatchedSink sink(std::move(inner), clock);
  EXPECT_EQ(sink.BusyFor(), 0ms);
  std::jthread sending([&] { sink.Send(ExampleNotification(), {}); });
  {
    std::unique_lock lock(blocked->mutex);
    blocked->changed.wait(lock, [&] { return blocked->entered == 1; });
    clock.Advance(90s);
    EXPECT_EQ(sink.BusyFor(), 90s);
    blocked->may_leave = true;
    blocked->changed.notify_all();
  }
  sending.join();
  EXPECT_EQ(sink.BusyFor(), 0ms);
}

}  // namespace
}  // namespace couplingd
