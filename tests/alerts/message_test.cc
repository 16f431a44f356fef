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

TEST(WebhookMessage, CarriesWhatDocsWebhookPromises) {
  const JsonDocument body = Webhook(ExampleNotification());
  EXPECT_EQ(Text(body, "version"), "1");
  EXPECT_EQ(Text(body, "type"), "alert.firing");
  EXPECT_EQ(Text(body, "delivery_id"), "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");
  EXPECT_EQ(Text(body, "key"), "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(body["sequence"].GetInt(), 1);
  EXPECT_EQ(Text(body, "state"), "firing");
  EXPECT_FALSE(body["test"].GetBool());
  EXPECT_FALSE(body["fired_and_resolved"].GetBool());
  EXPECT_EQ(Text(body, "severity"), "warning");
  EXPECT_EQ(Text(body, "rule"), "tax");
  EXPECT_EQ(Text(body, "kind"), "phase");
  EXPECT_EQ(Text(body, "run"), "pythia-1b");
  EXPECT_EQ(Text(body, "starts_at"), "2026-11-23T14:05:00.123Z");
  EXPECT_TRUE(body["ends_at"].IsNull());
  EXPECT_TRUE(body["resolution"].IsNull());
  EXPECT_EQ(Text(body["labels"], "family"), "pythia");
  EXPECT_DOUBLE_EQ(body["values"]["gamma"].GetDouble(), -0.32);
  EXPECT_EQ(Text(body["interventions"][0], "kind"), "curate");
  EXPECT_EQ(Text(body["links"], "runbook"), "https://wiki.example/tax");
  EXPECT_EQ(Text(body["links"], "command"),
            "couplingctl coupling --run pythia-1b --axes hellaswag.acc_norm,truthfulqa_mc2.acc "
            "--over steps");
}

TEST(WebhookMessage, OfAResolvedAlertSaysWhatFiredAndWhyItIsOver) {
  const JsonDocument body = Webhook(ExampleNotification(AlertState::kResolved));
  EXPECT_EQ(Text(body, "type"), "alert.resolved");
  EXPECT_EQ(Text(body, "resolution"), "The tax phase was left: γ = 0.20 at step 9000.");
  EXPECT_NE(Text(body, "description").find("γ = -0.32"), std::string::npos);
  EXPECT_EQ(Text(body, "ends_at"), "2026-11-23T15:05:00.000Z");
  EXPECT_FALSE(body["fired_and_resolved"].GetBool());
}

TEST(WebhookMessage, SaysFiredAndResolvedWhereTheFiringWasNeverDelivered) {
  EXPECT_TRUE(
      Webhook(ExampleNotification(AlertState::kResolved, false))["fired_and_resolved"].GetBool());
  EXPECT_EQ(StateWord(ExampleNotification(AlertState::kResolved, false).news.front()),
            "FIRED AND RESOLVED");
  EXPECT_EQ(StateWord(ExampleNotification(AlertState::kResolved, true).news.front()), "RESOLVED");
}

TEST(WebhookMessage, MarksTests) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.is_test = true;
  EXPECT_EQ(Text(Webhook(notification), "type"), "alert.test");
  EXPECT_TRUE(Webhook(notification)["test"].GetBool());
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
