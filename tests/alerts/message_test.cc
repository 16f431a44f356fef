#include "alerts/message.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using testing::ExampleNotification;

JsonDocument Webhook(const Notification& notification) {
  return ParseJson(RenderWebhook(notification), "body").value();
}

std::string Text(const JsonValue& object, const char* key) {
  return GetString(object, key, "body").value();
}

TEST(WebhookMessage, IsOneOfAlertmanagersVersionFour) {
  const JsonDocument body = Webhook(ExampleNotification());
  EXPECT_EQ(Text(body, "version"), "4");
  EXPECT_EQ(Text(body, "groupKey"), R"({}:{alertname="tax", run="pythia-1b"})");
  EXPECT_EQ(body["truncatedAlerts"].GetInt(), 0);
  EXPECT_EQ(Text(body, "status"), "firing");
  EXPECT_EQ(Text(body, "receiver"), "sink");
  EXPECT_EQ(body["groupLabels"].MemberCount(), 2u);
  EXPECT_EQ(Text(body["groupLabels"], "run"), "pythia-1b");
  EXPECT_EQ(Text(body["commonLabels"], "severity"), "warning");
  EXPECT_NE(Text(body["commonAnnotations"], "summary").find("γ = -0.32"), std::string::npos);
  EXPECT_EQ(Text(body, "externalURL"), "");
  ASSERT_EQ(body["alerts"].Size(), 1u);
  const JsonValue& alert = body["alerts"][0];
  EXPECT_EQ(Text(alert, "status"), "firing");
  EXPECT_EQ(Text(alert["labels"], "alertname"), "tax");
  EXPECT_EQ(Text(alert["labels"], "severity"), "warning");
  EXPECT_EQ(Text(alert["labels"], "family"), "pythia");
  EXPECT_FALSE(alert["labels"].HasMember("runbook_url"));
  EXPECT_EQ(Text(alert["annotations"], "runbook_url"), "https://wiki.example/tax");
  EXPECT_EQ(Text(alert, "startsAt"), "2026-11-23T14:05:00.123Z");
  EXPECT_EQ(Text(alert, "endsAt"), "0001-01-01T00:00:00Z");
  EXPECT_EQ(Text(alert, "fingerprint"), "0123456789abcdef");
}

TEST(WebhookMessage, CarriesOurOwnFactsBeside) {
  const JsonDocument body = Webhook(ExampleNotification());
  EXPECT_EQ(Text(body["couplingd"], "delivery_id"), "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");
  EXPECT_FALSE(body["couplingd"]["digest"].GetBool());
  const JsonValue& own = body["alerts"][0]["couplingd"];
  EXPECT_EQ(Text(own, "key"), "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(own["sequence"].GetInt(), 1);
  EXPECT_EQ(own["repeat"].GetInt(), 0);
  EXPECT_FALSE(own["test"].GetBool());
  EXPECT_FALSE(own["fired_and_resolved"].GetBool());
  EXPECT_TRUE(own["resolution"].IsNull());
  EXPECT_EQ(Text(own, "rule"), "tax");
  EXPECT_EQ(Text(own, "kind"), "phase");
  EXPECT_EQ(Text(own, "run"), "pythia-1b");
  EXPECT_DOUBLE_EQ(own["values"]["gamma"].GetDouble(), -0.32);
  EXPECT_EQ(Text(own["interventions"][0], "kind"), "curate");
  EXPECT_EQ(Text(own, "command"),
            "couplingctl coupling --run pythia-1b --axes hellaswag.acc_norm,truthfulqa_mc2.acc "
            "--over steps");
}

TEST(WebhookMessage, OfAResolvedAlertSaysWhatFiredAndWhyItIsOver) {
  const JsonDocument body = Webhook(ExampleNotification(AlertState::kResolved));
  EXPECT_EQ(Text(body, "status"), "resolved");
  const JsonValue& alert = body["alerts"][0];
  EXPECT_EQ(Text(alert, "endsAt"), "2026-11-23T15:05:00.000Z");
  EXPECT_NE(Text(alert["annotations"], "description").find("γ = -0.32"), std::string::npos);
  EXPECT_EQ(Text(alert["annotations"], "resolution"),
            "The tax phase was left: γ = 0.20 at step 9000.");
  EXPECT_EQ(Text(alert["couplingd"], "resolution"),
            "The tax phase was left: γ = 0.20 at step 9000.");
  EXPECT_FALSE(alert["couplingd"]["fired_and_resolved"].GetBool());
}

TEST(WebhookMessage, SaysFiredAndResolvedWhereTheFiringWasNeverDelivered) {
  const Notification notification = ExampleNotification(AlertState::kResolved, false);
  EXPECT_TRUE(Webhook(notification)["alerts"][0]["couplingd"]["fired_and_resolved"].GetBool());
  EXPECT_EQ(StateWord(notification.news.front()), "FIRED AND RESOLVED");
  EXPECT_EQ(StateWord(ExampleNotification(AlertState::kResolved, true).news.front()), "RESOLVED");
}

TEST(WebhookMessage, MarksTestsAndRepeats) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.is_test = true;
  EXPECT_TRUE(Webhook(notification)["alerts"][0]["couplingd"]["test"].GetBool());
  notification.news.front().delivery.repeat = 3;
  EXPECT_EQ(Webhook(notification)["alerts"][0]["couplingd"]["repeat"].GetInt(), 3);
}

TEST(WebhookMessage, OfSeveralAlertsFiresWhileOneOfThemDoesAndNamesWhatTheyShare) {
  Notification notification = ExampleNotification(AlertState::kResolved);
  notification.news.push_back(ExampleNotification().news.front());
  notification.news.back().alert.finding.labels["over"] = "tokens";
  const JsonDocument body = Webhook(notification);
  EXPECT_EQ(Text(body, "status"), "firing");
  ASSERT_EQ(body["alerts"].Size(), 2u);
  EXPECT_EQ(Text(body["alerts"][0], "status"), "resolved");
  EXPECT_EQ(Text(body["alerts"][1], "status"), "firing");
  EXPECT_TRUE(body["commonLabels"].HasMember("run"));
  EXPECT_FALSE(body["commonLabels"].HasMember("over"));
  EXPECT_FALSE(body["commonAnnotations"].HasMember("resolution"));
}

TEST(WebhookMessage, OfADigestHoldsAThousandAlertsInLessThanAMegabyte) {
  Notification notification = ExampleNotification();
  notification.is_digest = true;
  for (std::size_t i = 1; i < kMostDigested; ++i) {
    notification.news.push_back(notification.news.front());
    notification.news.back().alert.finding.labels["run"] = "run-" + std::to_string(i);
  }
  const std::string text = RenderWebhook(notification);
  EXPECT_LT(text.size(), std::size_t{1} << 20);
  const JsonDocument body = ParseJson(text, "body").value();
  EXPECT_EQ(body["alerts"].Size(), kMostDigested);
  EXPECT_EQ(body["truncatedAlerts"].GetInt(), 0);
  EXPECT_TRUE(body["couplingd"]["digest"].GetBool());
  EXPECT_EQ(Text(body, "groupKey"), "{}:{}");
}

TEST(WebhookMessage, MendsLabelNamesThatPrometheusWouldRefuse) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.finding.labels["1 team.name"] = "evals";
  notification.news.front().alert.finding.labels["empty"] = "";
  const JsonDocument body = Webhook(notification);
  EXPECT_EQ(Text(body["alerts"][0]["labels"], "_1_team_name"), "evals");
  EXPECT_FALSE(body["alerts"][0]["labels"].HasMember("empty"));
}

TEST(LookCommand, QuotesNamesThatAShellWouldTakeApart) {
  Finding finding = testing::ExampleAlert().finding;
  finding.kind = "bad_checkpoint";
  finding.labels["run"] = "my run'; rm -rf ~";
  EXPECT_EQ(LookCommand(finding), "couplingctl checkpoints --run 'my run'\\''; rm -rf ~'");
}

TEST(LookCommand, OfAFamilyNamesTheFamily) {
  Finding finding = testing::ExampleAlert().finding;
  finding.labels.erase("run");
  finding.labels["over"] = "scale";
  finding.run = "pythia";
  EXPECT_EQ(LookCommand(finding),
            "couplingctl coupling --family pythia --axes hellaswag.acc_norm,truthfulqa_mc2.acc "
            "--over scale");
}

}  // namespace
}  // namespace couplingd
