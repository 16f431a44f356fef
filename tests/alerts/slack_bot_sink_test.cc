// A Slack app: one thread for each alert, its first message kept as the alert stands.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "alerts/sink.h"
#include "base/json.h"
#include "tests/alerts/fake_slack.h"
#include "tests/alerts/local_server.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using testing::ExampleNotification;
using testing::FakeSlack;
using testing::SlackPost;

using Calls = std::vector<std::string>;

class SlackBot : public ::testing::Test {
 protected:
  std::unique_ptr<Sink> Make(HttpClient& http, const std::string& url = "") {
    SinkConfig config{.name = "bot", .kind = "slack_bot"};
    config.token_file = folder_.File("token", std::string(testing::kSlackToken) + "\n");
    config.channel = "C0123ABC";
    if (!url.empty()) config.url_file = folder_.File("url", url);
    auto sinks = MakeSinks({config}, {http, clock_, testing::ResolvesTo({"93.184.216.34"})});
    EXPECT_TRUE(sinks) << sinks.error().Text();
    return std::move(sinks->front());
  }

  DeliveryOutcome Send(const Notification& notification) {
    clock_.Advance(std::chrono::seconds(2));
    return Make(slack_)->Send(notification, {});
  }

  // Fires once, and gives the receipt to the news that follows.
  Notification AfterFiring(Notification news) {
    const DeliveryOutcome fired = Send(ExampleNotification());
    EXPECT_EQ(fired.result, DeliveryResult::kDelivered) << fired.text;
    news.news.front().receipt = fired.receipt;
    slack_.calls.clear();
    return news;
  }

  void Answer(const std::string& method, HttpResponse response, int times = 1) {
    slack_.intercept =
        [=, left = times](const std::string& called) mutable -> std::optional<HttpResponse> {
      if (called != method || left-- <= 0) return std::nullopt;
      return response;
    };
  }

  testing::TemporaryFolder folder_;
  ManualClock clock_{1795442700000};
  FakeSlack slack_{clock_};
};

TEST_F(SlackBot, PostsAFiringAndKeepsWhereItStands) {
  const DeliveryOutcome outcome = Send(ExampleNotification());
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered);
  EXPECT_EQ(outcome.text, "chat.postMessage: ok");
  ASSERT_EQ(slack_.posts.size(), 1u);
  EXPECT_EQ(slack_.posts[0].channel, "C0123ABC");
  EXPECT_EQ(slack_.posts[0].thread_ts, "");
  EXPECT_EQ(outcome.receipt, "C0123ABC " + slack_.posts[0].ts);
  const auto body = ParseJson(slack_.posts[0].body, "body").value();
  const JsonValue& payload = body["metadata"]["event_payload"];
  EXPECT_STREQ(body["metadata"]["event_type"].GetString(), "couplingd_alert");
  EXPECT_EQ(payload["delivery_id"].GetString(), ExampleNotification().delivery_id);
  EXPECT_EQ(payload["alert_key"].GetString(), ExampleNotification().news[0].alert.key);
  EXPECT_FALSE(body["unfurl_links"].GetBool());
}

TEST_F(SlackBot, PutsTheFirstMessageRightAndRepliesInItsThreadOnceTheAlertIsOver) {
  const Notification resolved = AfterFiring(ExampleNotification(AlertState::kResolved));
  const DeliveryOutcome outcome = Send(resolved);
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  EXPECT_EQ(outcome.receipt, resolved.news[0].receipt);
  EXPECT_EQ(slack_.calls, (Calls{"chat.update", "chat.postMessage"}));
  ASSERT_EQ(slack_.posts.size(), 2u);
  EXPECT_EQ(slack_.posts[0].edits, 1);
  EXPECT_TRUE(slack_.posts[0].checked.header.starts_with("✅ RESOLVED"));
  EXPECT_EQ(slack_.posts[1].thread_ts, slack_.posts[0].ts);
  EXPECT_FALSE(slack_.posts[1].broadcast);
}

TEST_F(SlackBot, RemindsInTheThreadAndInTheChannel) {
  Notification again = AfterFiring(ExampleNotification());
  again.news.front().delivery.repeat = 1;
  EXPECT_EQ(Send(again).result, DeliveryResult::kDelivered);
  ASSERT_EQ(slack_.posts.size(), 2u);
  EXPECT_TRUE(slack_.posts[0].checked.header.starts_with("🟠 STILL FIRING"));
  EXPECT_TRUE(slack_.posts[1].broadcast);
}

TEST_F(SlackBot, BeginsANewThreadWhereTheAlertFiresAgain) {
  const Notification again = AfterFiring(ExampleNotification());
  const DeliveryOutcome outcome = Send(again);
  ASSERT_EQ(slack_.posts.size(), 2u);
  EXPECT_EQ(slack_.posts[1].thread_ts, "");
  EXPECT_EQ(outcome.receipt, "C0123ABC " + slack_.posts[1].ts);
}

TEST_F(SlackBot, PostsAnewWhereTheFirstMessageIsGone) {
  const Notification resolved = AfterFiring(ExampleNotification(AlertState::kResolved));
  slack_.posts.clear();
  const DeliveryOutcome outcome = Send(resolved);
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  ASSERT_EQ(slack_.posts.size(), 1u);
  EXPECT_EQ(slack_.posts[0].thread_ts, "");
  EXPECT_TRUE(slack_.posts[0].checked.header.starts_with("✅ RESOLVED"));
  EXPECT_EQ(outcome.receipt, "C0123ABC " + slack_.posts[0].ts);
}

TEST_F(SlackBot, RepliesWhereTheFirstMessageMustNotBeEdited) {
  const Notification resolved = AfterFiring(ExampleNotification(AlertState::kResolved));
  Answer("chat.update", FakeSlack::Error("edit_window_closed"));
  const DeliveryOutcome outcome = Send(resolved);
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered);
  EXPECT_NE(outcome.text.find("edit_window_closed"), std::string::npos) << outcome.text;
  ASSERT_EQ(slack_.posts.size(), 2u);
  EXPECT_EQ(slack_.posts[1].thread_ts, slack_.posts[0].ts);
}

TEST_F(SlackBot, RepeatsNothingThatShowsWhenASecondAttemptIsNeeded) {
  const Notification resolved = AfterFiring(ExampleNotification(AlertState::kResolved));
  Answer("chat.update", FakeSlack::Error("internal_error"));
  EXPECT_EQ(Send(resolved).result, DeliveryResult::kRetry);
  EXPECT_EQ(slack_.posts.size(), 1u);
  Answer("chat.postMessage", FakeSlack::Error("fatal_error"));
  EXPECT_EQ(Send(resolved).result, DeliveryResult::kRetry);
  EXPECT_EQ(slack_.posts.size(), 1u);
  EXPECT_EQ(Send(resolved).result, DeliveryResult::kDelivered);
  EXPECT_EQ(slack_.posts.size(), 2u);
}

TEST_F(SlackBot, PostsWhatIsOverWithoutHavingBeenToldAndLeavesAnEarlierIncidentAlone) {
  const Notification news = AfterFiring(ExampleNotification(AlertState::kResolved, false));
  EXPECT_EQ(Send(news).result, DeliveryResult::kDelivered);
  ASSERT_EQ(slack_.posts.size(), 2u);
  EXPECT_EQ(slack_.posts[0].edits, 0);
  EXPECT_EQ(slack_.posts[1].thread_ts, "");
  EXPECT_TRUE(slack_.posts[1].checked.header.starts_with("✅ FIRED AND RESOLVED"));
}

TEST_F(SlackBot, TakesNoForeignTextForAReceipt) {
  for (const std::string receipt :
       {"C1", "C1 ", " 1.2", "C1/../x 1.2", "C1 1.2\"", "C1 1.2 other", "<!channel> 1.2"}) {
    slack_.posts.clear();
    Notification resolved = ExampleNotification(AlertState::kResolved);
    resolved.news.front().receipt = receipt;
    EXPECT_EQ(Send(resolved).result, DeliveryResult::kDelivered) << receipt;
    ASSERT_EQ(slack_.posts.size(), 1u) << receipt;
    EXPECT_EQ(slack_.posts[0].thread_ts, "") << receipt;
  }
}

Notification DigestOf(std::vector<AlertNews> news) {
  Notification digest = ExampleNotification();
  digest.is_digest = true;
  digest.news = std::move(news);
  return digest;
}

TEST_F(SlackBot, AnswersInTheThreadOfADigestAndLeavesItsTextAlone) {
  const AlertNews fired = ExampleNotification().news.front();
  const DeliveryOutcome digest = Send(DigestOf({fired, fired, fired}));
  EXPECT_EQ(digest.receipt, "C0123ABC " + slack_.posts[0].ts + " digest");
  Notification resolved = ExampleNotification(AlertState::kResolved);
  resolved.news.front().receipt = digest.receipt;
  slack_.calls.clear();
  const DeliveryOutcome outcome = Send(resolved);
  EXPECT_EQ(outcome.receipt, digest.receipt);
  EXPECT_EQ(slack_.calls, Calls{"chat.postMessage"});
  ASSERT_EQ(slack_.posts.size(), 2u);
  EXPECT_EQ(slack_.posts[1].thread_ts, slack_.posts[0].ts);
}

TEST_F(SlackBot, PutsTheMessagesRightOfAlertsThatADigestSaysAreOver) {
  Notification resolved = AfterFiring(ExampleNotification(AlertState::kResolved));
  const DeliveryOutcome outcome =
      Send(DigestOf({ExampleNotification().news.front(), resolved.news.front()}));
  EXPECT_EQ(outcome.text, "chat.postMessage: ok");
  EXPECT_TRUE(slack_.posts[0].checked.header.starts_with("✅ RESOLVED"));

  std::vector<AlertNews> many(30, resolved.news.front());
  EXPECT_NE(Send(DigestOf(many)).text.find("10 earlier messages"), std::string::npos);
}

TEST_F(SlackBot, ShowsTheChartInTheThread) {
  Notification notification = ExampleNotification();
  notification.news.front().chart_png = "\x89PNG bytes";
  const DeliveryOutcome outcome = Send(notification);
  EXPECT_EQ(outcome.text, "chat.postMessage: ok");
  EXPECT_EQ(slack_.calls, (Calls{"chat.postMessage", "files.getUploadURLExternal", "upload",
                                 "files.completeUploadExternal"}));
  ASSERT_EQ(slack_.files.size(), 1u);
  EXPECT_EQ(slack_.files[0].bytes, "\x89PNG bytes");
  EXPECT_EQ(slack_.files[0].thread_ts, slack_.posts[0].ts);
  EXPECT_EQ(slack_.files[0].name, "chart-0123456789ab.png");
}

TEST_F(SlackBot, HasToldOfTheAlertEvenWhereTheChartFails) {
  Notification notification = ExampleNotification();
  notification.news.front().chart_png = "png";
  HttpResponse missing{.status = 200,
                       .body = R"({"ok":false,"error":"missing_scope","needed":"files:write"})"};
  Answer("files.getUploadURLExternal", missing);
  DeliveryOutcome outcome = Send(notification);
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered);
  EXPECT_FALSE(outcome.receipt.empty());
  EXPECT_NE(outcome.text.find("the chart was not shown: files.getUploadURLExternal: missing_scope "
                              "(needed: files:write)"),
            std::string::npos)
      << outcome.text;
  Answer("upload", {.status = 500});
  EXPECT_NE(Send(notification).text.find("the upload: HTTP 500"), std::string::npos);
  Answer("files.completeUploadExternal", FakeSlack::Error("channel_not_found"));
  EXPECT_NE(Send(notification).text.find("channel_not_found"), std::string::npos);
}

TEST_F(SlackBot, WaitsWhereSlackAsksForItOverTheChart) {
  Notification notification = ExampleNotification();
  notification.news.front().chart_png = "png";
  HttpResponse limited = FakeSlack::Error("ratelimited", 429);
  limited.headers = {{"retry-after", "40"}};
  Answer("files.getUploadURLExternal", limited);
  const DeliveryOutcome outcome = Send(notification);
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered);
  EXPECT_EQ(outcome.retry_after, std::chrono::seconds(40));
}

TEST_F(SlackBot, SendsAChartOnlyWhereASinkMaySend) {
  Notification notification = ExampleNotification();
  notification.news.front().chart_png = "png";
  for (const std::string url :
       {"http://files.slack.example/upload/F1", "https://10.0.0.7/upload/F1",
        "https://169.254.169.254/upload/F1", "file:///etc/passwd", "gopher://x/upload/F1"}) {
    Answer("files.getUploadURLExternal",
           {.status = 200, .body = R"({"ok":true,"file_id":"F1","upload_url":")" + url + "\"}"});
    slack_.calls.clear();
    const DeliveryOutcome outcome = Send(notification);
    EXPECT_EQ(outcome.result, DeliveryResult::kDelivered);
    EXPECT_NE(outcome.text.find("the chart was not shown"), std::string::npos) << url;
    EXPECT_EQ(std::ranges::count(slack_.calls, "upload"), 0) << url;
  }
}

TEST_F(SlackBot, ClassifiesTheWordsOfSlack) {
  const auto outcome = [&](const HttpResponse& response) {
    Answer("chat.postMessage", response);
    return Send(ExampleNotification());
  };
  for (const char* word :
       {"channel_not_found", "not_in_channel", "is_archived", "invalid_auth", "token_revoked",
        "missing_scope", "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "not_authed",
        "account_inactive", "restricted_action", "no_text"}) {
    EXPECT_EQ(outcome(FakeSlack::Error(word)).result, DeliveryResult::kPermanent) << word;
    EXPECT_EQ(outcome(FakeSlack::Error(word, 500)).result, DeliveryResult::kPermanent) << word;
  }
  for (const char* word : {"internal_error", "fatal_error", "service_unavailable",
                           "request_timeout", "ratelimited", "team_added_to_org"}) {
    EXPECT_EQ(outcome(FakeSlack::Error(word)).result, DeliveryResult::kRetry) << word;
  }
  const DeliveryOutcome unknown = outcome(FakeSlack::Error("brand_new_word"));
  EXPECT_EQ(unknown.result, DeliveryResult::kRetry);
  EXPECT_EQ(unknown.text, "chat.postMessage: brand_new_word");
  EXPECT_NE(outcome(FakeSlack::Error("not_in_channel")).text.find("invite the app"),
            std::string::npos);
  HttpResponse limited = FakeSlack::Error("ratelimited", 429);
  limited.headers = {{"retry-after", "30"}};
  EXPECT_EQ(outcome(limited).retry_after, std::chrono::seconds(30));
}

TEST_F(SlackBot, TakesNothingButOkTrueForAnAcknowledgement) {
  for (const char* body : {"ok", "", "<html>login</html>", "[]", R"({"ok":"true"})", "{}",
                           R"({"ok":false})", R"({"ok":null})"}) {
    Answer("chat.postMessage", {.status = 200, .body = body});
    EXPECT_EQ(Send(ExampleNotification()).result, DeliveryResult::kRetry) << body;
  }
  Answer("chat.postMessage", {.status = 502, .body = R"({"ok":true})"});
  EXPECT_EQ(Send(ExampleNotification()).result, DeliveryResult::kRetry);
  // Slack took it, so it is not posted again, although nothing can be attached to it.
  Answer("chat.postMessage", {.status = 200, .body = R"({"ok":true})"});
  const DeliveryOutcome outcome = Send(ExampleNotification());
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered);
  EXPECT_EQ(outcome.receipt, "");
}

TEST_F(SlackBot, ShowsNoSecretThatSlackEchoes) {
  const std::string secret = testing::kSlackToken;
  for (const std::string& body :
       {R"({"ok":false,"error":")" + secret + "\"}", "no JSON " + secret,
        R"({"ok":false,"error":"missing_scope","needed":")" + secret + "\"}"}) {
    Answer("chat.postMessage", {.status = 200, .body = body});
    const DeliveryOutcome outcome = Send(ExampleNotification());
    EXPECT_EQ(outcome.text.find("SECRETTOKEN"), std::string::npos) << outcome.text;
  }
}

TEST_F(SlackBot, SendsTheTokenToTheApiAlone) {
  testing::FakeHttpClient http([&](const HttpRequest& request) { return slack_.Send(request); });
  Notification notification = ExampleNotification();
  notification.news.front().chart_png = "png";
  EXPECT_EQ(Make(http)->Send(notification, {}).text, "chat.postMessage: ok");
  for (const HttpRequest& request : http.Requests()) {
    const bool is_api = request.url.Reveal().starts_with("https://slack.com/api/");
    bool carries = false;
    for (const auto& [name, value] : request.headers) {
      carries = carries || value.find("SECRETTOKEN") != std::string::npos;
    }
    EXPECT_EQ(carries, is_api) << request.url.Reveal();
    EXPECT_EQ(request.url.Reveal().find("SECRETTOKEN"), std::string::npos);
    EXPECT_EQ(request.body.find("SECRETTOKEN"), std::string::npos);
  }
}

TEST_F(SlackBot, TakesAnotherAddressOfTheApiThatANameCanFollow) {
  EXPECT_EQ(Make(slack_, "https://proxy.example/slack/api")->Send(ExampleNotification(), {}).result,
            DeliveryResult::kDelivered);
  SinkConfig config{.name = "bot", .kind = "slack_bot"};
  config.token_file = folder_.File("token", testing::kSlackToken);
  config.channel = "C1";
  config.url_file = folder_.File("url", "https://proxy.example/api?x=1");
  EXPECT_FALSE(MakeSinks({config}, {slack_, clock_}));
}

// Over a real connection: what the server gets, byte by byte.
TEST_F(SlackBot, SendsTheChartAsItIs) {
  std::string upload_url;
  testing::LocalServer server([&](const testing::ServedRequest& request) {
    testing::ServedAnswer answer{.body = R"({"ok":true,"channel":"C1","ts":"1.5"})"};
    if (request.target == "/api/files.getUploadURLExternal") {
      answer.body = R"({"ok":true,"file_id":"F1","upload_url":")" + upload_url + "\"}";
    }
    if (request.target == "/upload/F1") answer.body = "OK - 5";
    return answer;
  });
  upload_url = server.Url("/upload/F1");
  SinkConfig config{.name = "bot", .kind = "slack_bot"};
  config.token_file = folder_.File("token", testing::kSlackToken);
  config.channel = "C1";
  config.url_file = folder_.File("url", server.Url("/api/"));
  config.allow_private = true;
  const auto client = MakeCurlHttpClient();
  auto sinks = MakeSinks({config}, {*client, clock_});
  ASSERT_TRUE(sinks) << sinks.error().Text();
  Notification notification = ExampleNotification();
  notification.news.front().chart_png = std::string("\x89PNG\0\r\n", 7);
  EXPECT_EQ(sinks->front()->Send(notification, {}).text, "chat.postMessage: ok");
  const auto requests = server.Requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0].headers.at("authorization"), std::string("Bearer ") + testing::kSlackToken);
  EXPECT_EQ(requests[1].body, "filename=chart-0123456789ab.png&length=7");
  EXPECT_EQ(requests[2].method, "POST");
  EXPECT_EQ(requests[2].body, notification.news.front().chart_png);
  EXPECT_FALSE(requests[2].headers.contains("authorization"));
  const auto done = ParseJson(requests[3].body, "body").value();
  EXPECT_STREQ(done["files"][0]["id"].GetString(), "F1");
  EXPECT_STREQ(done["channel_id"].GetString(), "C1");
  EXPECT_STREQ(done["thread_ts"].GetString(), "1.5");
}

TEST_F(SlackBot, IsNotMadeWithoutATokenOrAChannel) {
  SinkConfig config{.name = "bot", .kind = "slack_bot"};
  config.channel = "C1";
  config.token_file = folder_.path() + "/absent";
  auto sinks = MakeSinks({config}, {slack_, clock_});
  ASSERT_FALSE(sinks);
  EXPECT_NE(sinks.error().message.find("/absent"), std::string::npos);
  config.token_file = folder_.File("token", "two words");
  sinks = MakeSinks({config}, {slack_, clock_});
  ASSERT_FALSE(sinks);
  EXPECT_EQ(sinks.error().message.find("two words"), std::string::npos);
  config.token_file = folder_.File("token", testing::kSlackToken);
  config.channel = "";
  sinks = MakeSinks({config}, {slack_, clock_});
  ASSERT_FALSE(sinks);
  EXPECT_NE(sinks.error().message.find("channel"), std::string::npos);
}

}  // namespace
}  // namespace couplingd
