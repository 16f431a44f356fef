// What every sink promises, for each kind in SinkKinds(), against a real far end: a server on
// loopback, a program, a file.
#include <gtest/gtest.h>

#include <thread>

#include "alerts/sink.h"
#include "tests/alerts/far_end.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::Behaviour;
using testing::ExampleNotification;
using testing::FarEnd;
using testing::MakeFarEnd;
using testing::TemporaryFolder;

TEST(SinkKinds, HaveAFarEndEach) {
  const TemporaryFolder folder;
  for (const std::string_view kind : SinkKinds()) {
    EXPECT_TRUE(MakeFarEnd(kind, Behaviour::kAccept, folder)) << kind;
  }
}

class SinkContract : public ::testing::TestWithParam<std::string_view> {
 protected:
  // False where the kind's far end cannot behave so.
  bool Begin(Behaviour behaviour, std::chrono::milliseconds timeout = 5s) {
    far_end_ = MakeFarEnd(GetParam(), behaviour, folder_);
    if (!far_end_) return false;
    SinkConfig config = far_end_->Config();
    config.timeout = timeout;
    auto sinks = MakeSinks({config}, {*http_, clock_});
    EXPECT_TRUE(sinks) << sinks.error().Text();
    if (!sinks) return false;
    sink_ = std::move(sinks->front());
    far_end_->Begin();
    return true;
  }

  DeliveryOutcome Send(std::stop_token stop = {}) {
    const DeliveryOutcome outcome = sink_->Send(ExampleNotification(), std::move(stop));
    CheckText(outcome);
    return outcome;
  }

  static void CheckText(const DeliveryOutcome& outcome) {
    EXPECT_FALSE(outcome.text.empty());
    EXPECT_LE(outcome.text.size(), 900u);  // 200 characters of at most 4 bytes, and what we say
    for (const std::string& text : {outcome.text, outcome.receipt}) {
      for (const std::string& part : testing::kSecretParts) {
        EXPECT_EQ(text.find(part), std::string::npos) << text;
      }
      for (const unsigned char c : text) EXPECT_GE(c, 0x20) << text;
    }
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<HttpClient> http_ = MakeCurlHttpClient();
  ManualClock clock_{1795442700000};
  std::unique_ptr<FarEnd> far_end_;
  std::unique_ptr<Sink> sink_;
};

TEST_P(SinkContract, DeliversOnceAndSaysSo) {
  ASSERT_TRUE(Begin(Behaviour::kAccept));
  const DeliveryOutcome outcome = Send();
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  ASSERT_EQ(far_end_->Taken().size(), 1u);
  EXPECT_NE(far_end_->Taken()[0].find("pythia-1b"), std::string::npos);
}

TEST_P(SinkContract, SendsTheSameBytesOnEveryAttempt) {
  ASSERT_TRUE(Begin(Behaviour::kAccept));
  Send();
  Send();
  ASSERT_EQ(far_end_->Taken().size(), 2u);
  EXPECT_EQ(far_end_->Taken()[0], far_end_->Taken()[1]);
}

TEST_P(SinkContract, TellsOfSeveralAlertsInOneMessage) {
  ASSERT_TRUE(Begin(Behaviour::kAccept));
  if (sink_->Traits().most_alerts < 2) GTEST_SKIP() << "this kind takes one alert a message";
  Notification notification = ExampleNotification();
  notification.news.push_back(ExampleNotification(AlertState::kResolved).news.front());
  notification.news.back().alert.key = "another";
  notification.news.back().alert.finding.summary = "the other one";
  EXPECT_EQ(sink_->Send(notification, {}).result, DeliveryResult::kDelivered);
  ASSERT_EQ(far_end_->Taken().size(), 1u);
  EXPECT_NE(far_end_->Taken()[0].find("the other one"), std::string::npos);
}

TEST_P(SinkContract, TriesLaterWhatMayWorkLater) {
  ASSERT_TRUE(Begin(Behaviour::kTryLater));
  const DeliveryOutcome outcome = Send();
  EXPECT_EQ(outcome.result, DeliveryResult::kRetry) << outcome.text;
}

TEST_P(SinkContract, GivesUpWhatWillNeverWork) {
  ASSERT_TRUE(Begin(Behaviour::kRefuse));
  const DeliveryOutcome outcome = Send();
  EXPECT_EQ(outcome.result, DeliveryResult::kPermanent) << outcome.text;
}

TEST_P(SinkContract, TriesLaterWhereTheFarEndGoesAway) {
  if (!Begin(Behaviour::kBreak)) GTEST_SKIP() << "this kind's far end cannot go away";
  EXPECT_EQ(Send().result, DeliveryResult::kRetry);
}

TEST_P(SinkContract, LeavesAFarEndThatHangsAfterItsTimeout) {
  if (!Begin(Behaviour::kHang, 300ms)) GTEST_SKIP() << "this kind's far end cannot hang";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Send().result, DeliveryResult::kRetry);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_P(SinkContract, StopsWithinAboutASecondWhenToldTo) {
  if (!Begin(Behaviour::kHang, 60s)) GTEST_SKIP() << "this kind's far end cannot hang";
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Send(stop.get_token()).result, DeliveryResult::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_P(SinkContract, ShowsNoSecretAndNoControlCharacterThatTheFarEndSays) {
  if (!Begin(Behaviour::kTalkative)) GTEST_SKIP() << "this kind's far end says nothing";
  EXPECT_EQ(Send().result, DeliveryResult::kRetry);
}

TEST_P(SinkContract, HasAPaceAndAtLeastOneAlertAMessage) {
  ASSERT_TRUE(Begin(Behaviour::kAccept));
  const SinkTraits traits = sink_->Traits();
  EXPECT_GT(traits.pace.per_second, 0);
  EXPECT_GE(traits.pace.burst, 1);
  EXPECT_GE(traits.most_alerts, 1);
}

TEST_P(SinkContract, IsNotMadeWithoutWhatItNeedsAndSaysWhichSink) {
  SinkConfig config{.name = "the sink", .kind = std::string(GetParam())};
  config.url_file = folder_.path() + "/absent";
  auto sinks = MakeSinks({config}, {*http_, clock_});
  ASSERT_FALSE(sinks);
  EXPECT_NE(sinks.error().message.find("\"the sink\""), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SinkContract, ::testing::ValuesIn(SinkKinds()),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace couplingd
