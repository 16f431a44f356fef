#include "queries/alert_changes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "alerts/notify.h"
#include "queries/queries.h"

namespace couplingd {
namespace {

class AlertChanges : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    auto writer = HistoryWriter::Open(directory_, clock_);
    ASSERT_TRUE(writer) << writer.error().Text();
    writer_ = *std::move(writer);
    config_.sinks.resize(1);
    config_.sinks[0].name = "ops";
    Save("3f9c", 1, AlertState::kFiring);
  }
  void TearDown() override {
    writer_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Save(const std::string& key, std::int64_t sequence, AlertState state) {
    Alert alert;
    alert.key = key;
    alert.sequence = sequence;
    alert.state = state;
    alert.starts_at = clock_.Now();
    alert.ends_at = state == AlertState::kResolved ? clock_.Now() : 0;
    alert.finding.rule = "tax";
    alert.finding.kind = "phase";
    alert.finding.run = "web-1b";
    alert.finding.summary = "it falls";
    alert.finding.labels = {{"run", "web-1b"}};
    ASSERT_TRUE(writer_->SaveAlert(alert));
  }
  // The answer, or the error's text.
  std::string Change(const std::string& verb, const std::string& body) {
    const auto json = ParseJson(body, "body");
    EXPECT_TRUE(json) << body;
    const auto answer = ChangeAlerts(*writer_, config_, clock_, verb, *json);
    EXPECT_TRUE(NotifySinks(*writer_, config_, clock_.Now()));
    return answer ? *answer : "error: " + answer.error().Text();
  }
  std::string Ask(const std::string& verb, const QueryParameters& parameters = {}) {
    return Answer(writer_->reader(), config_, clock_, verb, parameters).value();
  }
  std::size_t Pending() { return writer_->reader().Deliveries("pending").value().size(); }

  const std::string directory_ =
      ::testing::TempDir() + "alert_changes_test-" + std::to_string(::getpid());
  ManualClock clock_{1795442700000};
  Config config_;
  std::unique_ptr<HistoryWriter> writer_;
};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(AlertChanges, ASilenceHoldsBackUntilItIsEnded) {
  EXPECT_EQ(Change("silence", R"({"matchers":["run=~web-.*"],"author":"ana","reason":"restart"})"),
            R"({"id":1,"ends_at":"2026-11-30T14:05:00.000Z","holds_back":1})");
  EXPECT_EQ(Pending(), 0u);
  EXPECT_TRUE(Has(Ask("silences"), R"("active":true,"matchers":["run=~web-.*"],"author":"ana")"));
  const std::string why = Ask("alerts", {{"key", "3f"}});
  EXPECT_TRUE(Has(why, R"("sink":"ops","queued":false,"reason":"silenced")")) << why;
  EXPECT_EQ(Change("unsilence", R"({"id":1,"author":"bob"})"), R"({"id":1})");
  EXPECT_EQ(Pending(), 1u);
  EXPECT_TRUE(Has(Ask("silences"), R"("active":false)"));
  EXPECT_TRUE(Has(Ask("alerts", {{"key", "3f"}}), R"("queued":true,"reason":"fired")"));
  EXPECT_TRUE(Has(Change("unsilence", R"({"id":1,"author":"bob"})"), "has ended already"));
  EXPECT_TRUE(Has(Change("unsilence", R"({"id":9,"author":"bob"})"), "there is no silence 9"));
  EXPECT_TRUE(Has(Ask("events"), "ana silenced run=~web-.* until"));
}

TEST_F(AlertChanges, ASilenceNeedsConditionsAnAuthorAReasonAndAnEnd) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"author":"ana","reason":"r"})", "at least one condition"},
      {R"({"matchers":[],"author":"ana","reason":"r"})", "at least one condition"},
      {R"({"matchers":["web"],"author":"ana","reason":"r"})", "is no condition on a label"},
      {R"({"matchers":["run=~("],"author":"ana","reason":"r"})", "regex cannot be compiled"},
      {R"({"matchers":["run=a"],"author":"","reason":"r"})", "author must not be empty"},
      {R"({"matchers":["run=a"],"author":"ana","reason":""})", "reason must not be empty"},
      {R"({"matchers":["run=a"],"author":"ana","reason":"r","seconds":0})", "between 1s and 7d"},
      {R"({"matchers":["run=a"],"author":"ana","reason":"r","seconds":700000})",
       "between 1s and 7d"}};
  for (const auto& [body, complaint] : cases) {
    EXPECT_TRUE(Has(Change("silence", body), complaint)) << Change("silence", body);
  }
  EXPECT_EQ(Ask("silences"), "[]");
}

TEST_F(AlertChanges, AnAcknowledgementStopsTheRepeats) {
  ASSERT_TRUE(NotifySinks(*writer_, config_, clock_.Now()));
  Delivery delivery = writer_->reader().Deliveries("pending").value().at(0);
  delivery.state = "delivered";
  delivery.updated_at = clock_.Now();
  ASSERT_TRUE(writer_->SaveDelivery(delivery));
  EXPECT_TRUE(Has(Change("acknowledge", R"({"alert":"3f","author":"ana","reason":"on it"})"),
                  R"("summary":"it falls")"));
  EXPECT_TRUE(Has(Ask("alerts"), R"("acknowledged":{"author":"ana","reason":"on it")"));
  clock_.Advance(std::chrono::hours(25));
  ASSERT_TRUE(NotifySinks(*writer_, config_, clock_.Now()));
  EXPECT_EQ(Pending(), 0u);
  Save("77", 1, AlertState::kFiring);
  Save("78", 1, AlertState::kFiring);
  Save("77", 2, AlertState::kResolved);
  EXPECT_TRUE(Has(Change("acknowledge", R"({"alert":"7","author":"a"})"), "2 alerts begin with"));
  EXPECT_TRUE(Has(Change("acknowledge", R"({"alert":"77","author":"a"})"), "does not fire"));
  EXPECT_TRUE(Has(Change("acknowledge", R"({"alert":"","author":"a"})"), "no alert begins"));
}

TEST_F(AlertChanges, RedeliversWhatWasGivenUpUnlessItIsOutOfDate) {
  ASSERT_TRUE(NotifySinks(*writer_, config_, clock_.Now()));
  Delivery dead = writer_->reader().Deliveries("pending").value().at(0);
  dead.state = "dead";
  dead.attempts = 3;
  ASSERT_TRUE(writer_->SaveDelivery(dead));
  const std::string body = R"({"id":)" + std::to_string(dead.id) + "}";
  EXPECT_EQ(Change("redeliver", body), R"({"deliveries":1})");
  EXPECT_TRUE(Has(Change("redeliver", body), "is pending"));
  EXPECT_TRUE(Has(Change("redeliver", R"({"id":99})"), "there is no delivery 99"));
  ASSERT_TRUE(writer_->SaveDelivery(dead));
  EXPECT_EQ(Change("redeliver", R"({"sink":"other"})"), R"({"deliveries":0})");
  EXPECT_EQ(Change("redeliver", "{}"), R"({"deliveries":1})");
  ASSERT_TRUE(writer_->SaveDelivery(dead));
  Save("3f9c", 2, AlertState::kResolved);
  ASSERT_TRUE(NotifySinks(*writer_, config_, clock_.Now()));
  EXPECT_TRUE(Has(Change("redeliver", body), "out of date"));
  EXPECT_EQ(Change("redeliver", "{}"), R"({"deliveries":0})");
}

}  // namespace
}  // namespace couplingd
