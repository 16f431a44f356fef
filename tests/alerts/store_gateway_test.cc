// The outbox over the real store, one attempt at a time, with a clock that is moved by hand.
#include "alerts/store_gateway.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::AlertWith;
using testing::ExampleAlert;
using testing::kDelivered;
using testing::kPermanent;
using testing::kRetry;
using testing::SaveFor;
using testing::TemporaryFolder;

// The store with a clock that stands still unless moved, and one sink's memory.
class Outbox : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    writer_.reset();
    auto writer = HistoryWriter::Open(folder_.path() + "/state", clock_);
    ASSERT_TRUE(writer) << writer.error().Text();
    writer_ = std::move(*writer);
    memory_ = SinkMemory{.sink = "sink"};
  }
  void Save(const std::string& key, std::int64_t sequence) {
    const Status saved = SaveFor(*writer_, AlertWith(key, sequence), {"sink"});
    ASSERT_TRUE(saved) << saved.error().Text();
  }
  Work Find() {
    auto work = FindWork(*writer_, memory_, clock_.Now());
    EXPECT_TRUE(work) << work.error().Text();
    return std::move(*work);
  }
  // Sends what is due, if anything, with the outcome; returns "key:sequence".
  std::string Attempt(const DeliveryOutcome& outcome) {
    const Work work = Find();
    if (!work.notification) return "";
    EXPECT_TRUE(RecordOutcome(*writer_, memory_, *work.notification, outcome, clock_.Now()));
    return work.notification->news.front().alert.key + ":" +
           std::to_string(work.notification->news.front().alert.sequence);
  }
  std::vector<Delivery> In(const std::string& state) {
    return writer_->reader().Deliveries(state).value();
  }

  TemporaryFolder folder_;
  ManualClock clock_{1795442700000};
  std::unique_ptr<HistoryWriter> writer_;
  SinkMemory memory_;
};

TEST_F(Outbox, DeliversAndHasNothingLeft) {
  Save("a", 1);
  EXPECT_EQ(Attempt(kDelivered), "a:1");
  EXPECT_EQ(Attempt(kDelivered), "");
  EXPECT_EQ(In("delivered").size(), 1u);
  EXPECT_FALSE(Find().next_at);
}

TEST_F(Outbox, KeepsWhatTheAlertSaysThroughTheStore) {
  Save("a", 1);
  Save("b", 1);
  Save("b", 2);
  EXPECT_EQ(Find().notification->news.front().alert.finding.values, ExampleAlert().finding.values);
  EXPECT_EQ(Attempt(kDelivered), "a:1");
  EXPECT_EQ(Find().notification->news.front().alert.resolution,
            ExampleAlert(AlertState::kResolved).resolution);
}

TEST_F(Outbox, TellsWhetherTheFiringWasAcknowledged) {
  Save("a", 1);
  EXPECT_EQ(Attempt(kDelivered), "a:1");
  Save("a", 2);
  EXPECT_TRUE(Find().notification->news.front().told_firing);
  Reopen();
  EXPECT_TRUE(Find().notification->news.front().told_firing);
  Save("b", 1);
  Save("b", 2);
  EXPECT_EQ(Attempt(kDelivered), "a:2");
  EXPECT_FALSE(Find().notification->news.front().told_firing);
  EXPECT_EQ(Attempt(kDelivered), "b:2");
  EXPECT_EQ(In("superseded").size(), 1u);
}

TEST_F(Outbox, WaitsAfterAFailureAndSendsTheSameDeliveryIdAgain) {
  Save("a", 1);
  const std::string id = Find().notification->news.front().delivery.delivery_id;
  EXPECT_EQ(Attempt(kRetry), "a:1");
  EXPECT_EQ(Attempt(kRetry), "");
  const UnixMillis next = Find().next_at.value();
  EXPECT_GE(next - clock_.Now(), 4000);
  EXPECT_LE(next - clock_.Now(), 6000);
  clock_.Advance(std::chrono::milliseconds(next - clock_.Now()));
  EXPECT_EQ(Find().notification->news.front().delivery.delivery_id, id);
  EXPECT_EQ(Attempt(kDelivered), "a:1");
  EXPECT_EQ(In("delivered")[0].attempts, 2);
}

TEST_F(Outbox, SendsAgainWithTheSameIdAfterACrashBetweenSendingAndRecording) {
  Save("a", 1);
  const Notification sent = *Find().notification;
  Reopen();
  EXPECT_EQ(Find().notification->news.front().delivery.delivery_id, sent.delivery_id);
  EXPECT_EQ(Attempt(kDelivered), "a:1");
}

TEST_F(Outbox, GivesUpOnPermanentFailuresAndSaysSo) {
  Save("a", 1);
  Save("b", 1);
  EXPECT_EQ(Attempt(kPermanent), "a:1");
  EXPECT_EQ(In("dead")[0].last_outcome, "HTTP 404");
  const auto events = writer_->reader().Events(1).value();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].level, "error");
  EXPECT_EQ(events[0].subject, "sink sink");
  EXPECT_EQ(Attempt(kDelivered), "b:1");
}

TEST_F(Outbox, HoldsEverythingBackUntilRetryAfterIsOverAlsoAfterARestart) {
  Save("a", 1);
  Save("b", 1);
  EXPECT_EQ(Attempt({DeliveryResult::kRetry, 60s, "HTTP 429"}), "a:1");
  clock_.Advance(59s);
  EXPECT_EQ(Attempt(kDelivered), "");
  Reopen();
  EXPECT_EQ(Attempt(kDelivered), "");
  clock_.Advance(1s);
  EXPECT_NE(Attempt(kDelivered), "");
  EXPECT_NE(Attempt(kDelivered), "");
}

TEST_F(Outbox, RecordsAnAcknowledgementOfWhatWasSupersededWhileItWasSent) {
  Save("a", 1);
  const Notification sent = *Find().notification;
  Save("a", 2);
  ASSERT_TRUE(RecordOutcome(*writer_, memory_, sent, kDelivered, clock_.Now()));
  EXPECT_TRUE(Find().notification->news.front().told_firing);
  EXPECT_EQ(Attempt(kDelivered), "a:2");
  EXPECT_EQ(In("delivered").size(), 2u);
}

TEST_F(Outbox, DoesNotReviveWhatWasSupersededWhileItFailed) {
  Save("a", 1);
  const Notification sent = *Find().notification;
  Save("a", 2);
  ASSERT_TRUE(RecordOutcome(*writer_, memory_, sent, kRetry, clock_.Now()));
  EXPECT_EQ(In("superseded").size(), 1u);
  clock_.Advance(1min);
  EXPECT_EQ(Find().notification->news.front().delivery.sequence, 2);
}

// Alerts of one group, each with a delivery due at once.
void SaveGroup(HistoryWriter& writer, const std::string& group, int count) {
  for (int i = 0; i < count; ++i) {
    const Alert alert = AlertWith(group + std::to_string(i), 1);
    ASSERT_TRUE(writer.SaveAlert(alert));
    Delivery delivery;
    delivery.sink = "sink";
    delivery.alert_key = alert.key;
    delivery.sequence = 1;
    delivery.group = group;
    ASSERT_TRUE(writer.AddDelivery(delivery));
  }
}

std::vector<std::string> KeysOf(const Notification& notification) {
  std::vector<std::string> keys;
  for (const AlertNews& news : notification.news) keys.push_back(news.alert.key);
  return keys;
}

using Keys = std::vector<std::string>;

TEST_F(Outbox, SendsAMessageOfSeveralAlertsAgainWithItsIdAndWhatIsLeftOfIt) {
  memory_.traits.most_alerts = 20;
  SaveGroup(*writer_, "g", 3);
  const Notification sent = *Find().notification;
  EXPECT_EQ(KeysOf(sent), (Keys{"g0", "g1", "g2"}));
  SaveGroup(*writer_, "late", 1);
  Reopen();
  memory_.traits.most_alerts = 20;
  EXPECT_EQ(Find().notification->delivery_id, sent.delivery_id);
  EXPECT_EQ(KeysOf(*Find().notification), (Keys{"g0", "g1", "g2"}));
  Save("g1", 2);
  ASSERT_TRUE(RecordOutcome(*writer_, memory_, sent, kRetry, clock_.Now()));
  EXPECT_EQ(In("superseded").size(), 1u);
  clock_.Advance(1min);
  std::map<std::string, Keys> messages;
  while (Find().notification) {
    const Notification next = *Find().notification;
    messages[next.delivery_id] = KeysOf(next);
    ASSERT_TRUE(RecordOutcome(*writer_, memory_, next, kDelivered, clock_.Now()));
  }
  EXPECT_EQ(messages[sent.delivery_id], (Keys{"g0", "g2"}));
  EXPECT_EQ(messages.size(), 3u);
}

TEST_F(Outbox, TakesAMessageApartThatIsRefused) {
  memory_.traits.most_alerts = 20;
  SaveGroup(*writer_, "g", 3);
  ASSERT_TRUE(RecordOutcome(*writer_, memory_, *Find().notification, kPermanent, clock_.Now()));
  EXPECT_TRUE(In("dead").empty());
  EXPECT_EQ(KeysOf(*Find().notification), Keys{"g0"});
  EXPECT_EQ(Attempt(kPermanent), "g0:1");
  EXPECT_EQ(Attempt(kDelivered), "g1:1");
  EXPECT_EQ(Attempt(kDelivered), "g2:1");
  EXPECT_EQ(In("dead").size(), 1u);
}

TEST_F(Outbox, HandsTheReceiptOfAnAlertBackWithItsLaterNews) {
  Save("a", 1);
  EXPECT_EQ(Find().notification->news.front().receipt, "");
  EXPECT_EQ(Attempt({DeliveryResult::kDelivered, std::nullopt, "HTTP 200", "C1:17.2"}), "a:1");
  Save("a", 2);
  EXPECT_EQ(Find().notification->news.front().receipt, "C1:17.2");
  Reopen();
  EXPECT_EQ(Find().notification->news.front().receipt, "C1:17.2");
}

TEST_F(Outbox, SaysAgainWhatTheSinkKnowsAndWhatEndedALittleAgo) {
  Save("firing", 1);
  EXPECT_EQ(Attempt(kDelivered), "firing:1");
  Save("ended", 1);
  Alert ended = AlertWith("ended", 2);
  ended.ends_at = clock_.Now();
  ASSERT_TRUE(SaveFor(*writer_, ended, {"sink"}));
  EXPECT_EQ(Attempt(kDelivered), "ended:2");
  Save("unknown", 1);
  const auto keys = [&] {
    std::set<std::string> found;
    const auto alerts = FindRefresh(*writer_, memory_, clock_.Now()).value();
    for (const Alert& alert : alerts) found.insert(alert.key);
    return found;
  };
  EXPECT_EQ(keys(), (std::set<std::string>{"ended", "firing"}));
  clock_.Advance(16min);
  EXPECT_EQ(keys(), std::set<std::string>{"firing"});
}

TEST_F(Outbox, BuriesWhatWasMeantForSinksThatWereRemoved) {
  ASSERT_TRUE(SaveFor(*writer_, AlertWith("a", 1), {"sink", "old"}));
  ASSERT_TRUE(BuryRemovedSinks(*writer_, {"sink"}, clock_.Now()));
  ASSERT_EQ(In("dead").size(), 1u);
  EXPECT_EQ(In("dead")[0].sink, "old");
  EXPECT_NE(In("dead")[0].last_outcome.find("no longer configured"), std::string::npos);
  EXPECT_EQ(writer_->reader().Events(1).value()[0].subject, "sink old");
  EXPECT_EQ(Attempt(kDelivered), "a:1");
}

// A sink that is away for three days: everything arrives afterwards, in order, and a sink that was
// told of a firing is told of its end.
TEST_F(Outbox, SurvivesAnOutageOfSeventyTwoHours) {
  for (int i = 0; i < 8; ++i) {
    Save("told" + std::to_string(i), 1);
    ASSERT_NE(Attempt(kDelivered), "");
  }
  const UnixMillis end = clock_.Now() + 72 * 3600000ll;
  int hour = 0;
  for (; clock_.Now() < end; ++hour) {
    if (hour < 8) {
      Save("told" + std::to_string(hour), 2);
      Save("new" + std::to_string(hour), 1);
    }
    const UnixMillis next_hour = clock_.Now() + 3600000;
    while (clock_.Now() < next_hour) {
      if (!Attempt(kRetry).empty()) continue;
      const UnixMillis next = std::min(Find().next_at.value_or(next_hour), next_hour);
      clock_.Advance(std::chrono::milliseconds(std::max<UnixMillis>(next - clock_.Now(), 1)));
    }
  }
  EXPECT_TRUE(In("dead").empty());
  for (int guard = 0; guard < 200 && !In("pending").empty(); ++guard) {
    if (Attempt(kDelivered).empty()) clock_.Advance(1h);
  }
  EXPECT_EQ(In("delivered").size(), 24u);
}

}  // namespace
}  // namespace couplingd
