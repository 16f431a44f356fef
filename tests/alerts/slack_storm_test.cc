// A storm over the delivery stage, a Slack that is as strict as Slack, and a clock that the test
// moves: 1,000 alerts in 10 seconds.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <ostream>

#include "alerts/notify.h"
#include "alerts/outbox.h"
#include "alerts/sink.h"
#include "alerts/store_gateway.h"
#include "base/hash.h"
#include "history/store.h"
#include "tests/alerts/fake_slack.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::FakeSlack;
using testing::SlackPost;

constexpr UnixMillis kStart = 1795442700000;

struct Storm {
  std::string name, kind;
  int alerts;       // in 10 seconds
  int digest_from;  // more waiting alerts than these make a digest
};

void PrintTo(const Storm& storm, std::ostream* out) { *out << storm.name; }

class SlackStorm : public ::testing::TestWithParam<Storm> {
 protected:
  void SetUp() override {
    SinkConfig config{.name = "slack", .kind = GetParam().kind};
    if (config.kind == "slack_bot") {
      config.token_file = folder_.File("token", testing::kSlackToken);
      config.channel = "C1";
    } else {
      config.url_file = folder_.File("url", "https://hooks.slack.com/services/T/B/X");
    }
    auto sinks = MakeSinks({config}, {slack_, clock_, testing::ResolvesTo({"93.184.216.34"})});
    ASSERT_TRUE(sinks) << sinks.error().Text();
    sink_ = std::move(sinks->front());
    config_.sinks = {config};
    config_.notify.inhibit = false;
    memory_.sink = "slack";
    memory_.traits = sink_->Traits();
    memory_.options.storm = GetParam().digest_from;
    memory_.options.chart = [this](HistoryReader&, const Alert&) {
      ++charts_;
      return std::string("png");
    };
    auto writer = HistoryWriter::Open(folder_.path() + "/state", clock_);
    ASSERT_TRUE(writer) << writer.error().Text();
    writer_ = std::move(*writer);
    // Slack is overloaded now and then, by what others send too.
    slack_.intercept = [this,
                        calls = 0](const std::string&) mutable -> std::optional<HttpResponse> {
      if (++calls % 7 != 0) return std::nullopt;
      return slack_.RateLimited(calls % 3 == 0 ? 30 : 2);
    };
  }

  static Alert AlertNumber(int i) {
    Alert alert = testing::ExampleAlert();
    alert.key = HashHex(std::to_string(i));
    alert.finding.run = "run-" + std::to_string(i % 40);
    alert.finding.rule = i % 3 == 0 ? "tax" : "bad_checkpoint";
    alert.finding.severity = i % 100 == 0 ? Severity::kCritical : Severity::kWarning;
    return alert;
  }

  // Saves what is due by now: evenly over the 10 seconds.
  void Raise() {
    const std::int64_t due = std::min<std::int64_t>(
        (clock_.Now() - kStart) * GetParam().alerts / 10000 + 1, GetParam().alerts);
    if (raised_ == due) return;
    for (; raised_ < due; ++raised_) {
      Alert alert = AlertNumber(raised_);
      alert.starts_at = clock_.Now();
      ASSERT_TRUE(writer_->SaveAlert(alert));
    }
    ASSERT_TRUE(NotifySinks(*writer_, config_, clock_.Now()));
  }

  // What the sink's thread does, with a clock that jumps to where something can happen.
  void Deliver() {
    TokenBucket bucket(sink_->Traits().pace, clock_.Steady());
    while (true) {
      Raise();
      const Work work = FindWork(*writer_, memory_, clock_.Now()).value();
      if (!work.notification) {
        if (!work.next_at && raised_ == GetParam().alerts) return;
        const UnixMillis next = work.next_at.value_or(clock_.Now() + 1000);
        clock_.Advance(std::chrono::milliseconds(std::clamp<std::int64_t>(
            next - clock_.Now(), 1, raised_ < GetParam().alerts ? 1000 : 3600000)));
      } else if (const auto wait = bucket.Take(clock_.Steady()); wait > 0ms) {
        clock_.Advance(wait);
      } else {
        Send(*work.notification);
      }
    }
  }

  void Send(const Notification& notification) {
    const DeliveryOutcome outcome = sink_->Send(notification, {});
    if (outcome.result == DeliveryResult::kDelivered) {
      for (const AlertNews& news : notification.news) ++told_[news.alert.key];
    }
    ASSERT_TRUE(RecordOutcome(*writer_, memory_, notification, outcome, clock_.Now()));
  }

  testing::TemporaryFolder folder_;
  ManualClock clock_{kStart};
  FakeSlack slack_{clock_};
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<HistoryWriter> writer_;
  Config config_;
  SinkMemory memory_;
  int raised_ = 0;
  int charts_ = 0;                   // that were drawn
  std::map<std::string, int> told_;  // by key
};

TEST_P(SlackStorm, SendsAtMostOneMessageASecondNothingBeforeRetryAfterAndDropsNothing) {
  Deliver();
  EXPECT_EQ(slack_.too_fast, 0);
  EXPECT_EQ(slack_.too_early, 0);
  EXPECT_EQ(slack_.refused, std::vector<std::string>{});
  EXPECT_EQ(writer_->reader().Deliveries("dead").value().size(), 0u);
  EXPECT_EQ(writer_->reader().Deliveries("pending").value().size(), 0u);
  EXPECT_EQ(told_.size(), static_cast<std::size_t>(GetParam().alerts));
  int told = 0;
  for (const SlackPost& post : slack_.posts) told += AlertsTold(post.checked);
  EXPECT_EQ(told, GetParam().alerts);
  // None is drawn for a digest, which shows none.
  const bool takes_charts = sink_->Traits().takes_charts;
  EXPECT_LE(charts_, takes_charts ? static_cast<int>(slack_.calls.size()) : 0);
  EXPECT_EQ(slack_.files.empty(), !takes_charts);
  RecordProperty("messages", static_cast<int>(slack_.posts.size()));
  RecordProperty("seconds", static_cast<int>((slack_.posts.back().at - kStart) / 1000));
}

// That the checks above can fail.
TEST(FakeSlack, NoticesWhoIsTooFastOrTooEarly) {
  ManualClock clock(kStart);
  FakeSlack slack(clock);
  testing::TemporaryFolder folder;
  SinkConfig config{.name = "slack", .kind = "slack"};
  config.url_file = folder.File("url", "https://hooks.slack.com/services/T/B/X");
  auto sinks = MakeSinks({config}, {slack, clock, testing::ResolvesTo({"93.184.216.34"})});
  ASSERT_TRUE(sinks);
  const auto send = [&] { sinks->front()->Send(testing::ExampleNotification(), {}); };
  send();
  clock.Advance(999ms);
  send();
  EXPECT_EQ(slack.too_fast, 1);
  slack.intercept = [&](const std::string&) { return std::optional(slack.RateLimited(30)); };
  send();
  slack.intercept = {};
  clock.Advance(29s);
  send();
  EXPECT_EQ(slack.too_early, 1);
}

INSTANTIATE_TEST_SUITE_P(Storms, SlackStorm,
                         ::testing::Values(Storm{"Webhook", "slack", 1000, 100},
                                           Storm{"Bot", "slack_bot", 1000, 100},
                                           Storm{"WebhookWithoutDigests", "slack", 1000, 5000},
                                           Storm{"BotWithoutDigests", "slack_bot", 150, 5000}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace couplingd
