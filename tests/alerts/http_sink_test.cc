// What the sinks promise that speak HTTP, against a fake client and against a real server on
// loopback; what all sinks promise stands in sink_contract_test.cc.
#include <gtest/gtest.h>

#include <map>

#include "alerts/signature.h"
#include "alerts/sink.h"
#include "base/json.h"
#include "tests/alerts/local_server.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::ExampleNotification;
using testing::FakeHttpClient;
using testing::LocalServer;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::TemporaryFolder;

constexpr char kSecretPath[] = "/services/T0SECRETPATH/B0SECRETPATH/api/v2/alerts";
constexpr char kToken[] = "xoxb-1234-SECRETTOKEN";
constexpr char kSigningSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::vector<std::string> kSecretParts = {"T0SECRETPATH", "B0SECRETPATH",
                                               "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "SECRETTOKEN"};

// What the far end of each kind says when all is well.
const std::map<std::string_view, std::string> kGoodAnswers = {
    {"webhook", ""},
    {"slack", "ok"},
    {"slack_bot", R"({"ok":true,"channel":"C1","ts":"1795442700.000100"})"},
    {"alertmanager", ""}};

std::vector<std::string_view> HttpKinds() {
  std::vector<std::string_view> kinds;
  for (const auto& [kind, answer] : kGoodAnswers) kinds.push_back(kind);
  return kinds;
}

class HttpSink : public ::testing::TestWithParam<std::string_view> {
 protected:
  std::string Kind() const { return std::string(GetParam()); }
  bool IsBot() const { return Kind() == "slack_bot"; }

  // With all that its kind needs. A bot's address is that of the API as a whole.
  SinkConfig Configured(const std::string& url) const {
    SinkConfig config{.name = "the sink", .kind = Kind()};
    config.url_file = folder_.File("url", (IsBot() ? url.substr(0, url.find('?')) : url) + "\n");
    if (IsBot()) {
      config.token_file = folder_.File("token", kToken);
      config.channel = "C1";
    }
    return config;
  }
  std::string Target() const {
    return kSecretPath + std::string(IsBot() ? "/chat.postMessage" : "");
  }

  std::unique_ptr<Sink> Make(HttpClient& http, const std::string& url,
                             std::chrono::milliseconds timeout = 2s) {
    SinkConfig config = Configured(url);
    if (Kind() == "webhook") config.secret_file = folder_.File("secret", kSigningSecret);
    config.timeout = timeout;
    config.allow_private = true;
    auto sinks = MakeSinks({config}, {http, clock_, testing::ResolvesTo({"93.184.216.34"})});
    EXPECT_TRUE(sinks) << sinks.error().Text();
    return std::move(sinks->front());
  }

  DeliveryOutcome Ask(const ServedAnswer& answer, std::chrono::milliseconds timeout = 2s) {
    LocalServer server([&](const ServedRequest&) { return answer; });
    const auto client = MakeCurlHttpClient();
    const DeliveryOutcome outcome =
        Make(*client, server.Url(kSecretPath), timeout)->Send(ExampleNotification(), {});
    CheckText(outcome);
    return outcome;
  }

  static void CheckText(const DeliveryOutcome& outcome) {
    EXPECT_FALSE(outcome.text.empty());
    EXPECT_LE(outcome.text.size(), 900u);  // 200 characters of at most 4 bytes, and what we say
    for (const std::string& part : kSecretParts) {
      EXPECT_EQ(outcome.text.find(part), std::string::npos) << outcome.text;
    }
    for (const unsigned char c : outcome.text) EXPECT_GE(c, 0x20) << outcome.text;
  }

  TemporaryFolder folder_;
  SystemClock clock_;
};

TEST_P(HttpSink, DeliversAndSaysSo) {
  LocalServer server([&](const ServedRequest&) {
    return ServedAnswer{.status = 200, .body = kGoodAnswers.at(GetParam())};
  });
  const auto client = MakeCurlHttpClient();
  const DeliveryOutcome outcome =
      Make(*client, server.Url(kSecretPath))->Send(ExampleNotification(), {});
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  const auto requests = server.Requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, Target());
  EXPECT_TRUE(requests[0].headers.at("content-type").starts_with("application/json"));
  EXPECT_TRUE(ParseJson(requests[0].body, "body"));
}

TEST_P(HttpSink, RetriesServerErrors) {
  for (const int status : {500, 502, 503, 504, 408, 425, 429}) {
    EXPECT_EQ(Ask({.status = status, .body = "try later"}).result, DeliveryResult::kRetry)
        << status;
  }
}

TEST_P(HttpSink, HonoursRetryAfter) {
  const auto outcome = Ask({.status = 429, .headers = {{"Retry-After", "17"}}});
  EXPECT_EQ(outcome.result, DeliveryResult::kRetry);
  EXPECT_EQ(outcome.retry_after, 17s);
  EXPECT_EQ(Ask({.status = 503, .headers = {{"Retry-After", "9999999"}}}).retry_after, 3600s);
  EXPECT_EQ(Ask({.status = 429}).retry_after, std::nullopt);
}

TEST_P(HttpSink, GivesUpOnWhatWillNeverWork) {
  for (const int status : {400, 401, 403, 404, 410, 413, 301, 308}) {
    EXPECT_EQ(Ask({.status = status, .body = "no"}).result, DeliveryResult::kPermanent) << status;
  }
}

TEST_P(HttpSink, FollowsNoRedirect) {
  LocalServer other([](const ServedRequest&) { return ServedAnswer{.body = "ok"}; });
  for (const int status : {301, 302, 303, 307, 308}) {
    const auto outcome =
        Ask({.status = status, .headers = {{"Location", other.Url("/elsewhere")}}});
    EXPECT_NE(outcome.result, DeliveryResult::kDelivered) << status;
  }
  EXPECT_TRUE(other.Requests().empty());
}

TEST_P(HttpSink, RetriesWhenThereIsNoAnswer) {
  EXPECT_EQ(Ask({.fault = ServedAnswer::Fault::kReset}).result, DeliveryResult::kRetry);
  EXPECT_EQ(Ask({.fault = ServedAnswer::Fault::kGarbage}).result, DeliveryResult::kRetry);
  const auto client = MakeCurlHttpClient();
  const auto refused = Make(*client, std::string("http://127.0.0.1:1") + kSecretPath)
                           ->Send(ExampleNotification(), {});
  EXPECT_EQ(refused.result, DeliveryResult::kRetry);
  CheckText(refused);
}

TEST_P(HttpSink, ShowsNoSecretThatThePeerEchoes) {
  const std::string secret = Kind() == "webhook" ? kSigningSecret : IsBot() ? kToken : "";
  std::string echo = "Cannot POST ";
  for (int i = 0; i < 2000; ++i) echo += Target() + " " + secret + "\x1b[2J\n";
  for (const int status : {200, 404, 500}) Ask({.status = status, .body = echo});
}

TEST_P(HttpSink, PinsTheAddressesThatItChecked) {
  FakeHttpClient http([](const HttpRequest&) { return HttpResponse{.status = 500}; });
  Make(http, std::string("https://hooks.example") + kSecretPath)->Send(ExampleNotification(), {});
  ASSERT_EQ(http.Requests().size(), 1u);
  EXPECT_EQ(http.Requests()[0].addresses, std::vector<std::string>{"93.184.216.34"});
}

TEST_P(HttpSink, ConnectsToThePinnedAddressUnderTheConfiguredName) {
  LocalServer server([&](const ServedRequest&) {
    return ServedAnswer{.status = 200, .body = kGoodAnswers.at(GetParam())};
  });
  std::string url = server.Url(kSecretPath);
  url.replace(url.find("127.0.0.1"), 9, "pinned.invalid");
  SinkConfig config = Configured(url);
  config.allow_private = true;
  const auto client = MakeCurlHttpClient();
  auto sinks = MakeSinks({config}, {*client, clock_, testing::ResolvesTo({"127.0.0.1"})});
  ASSERT_TRUE(sinks) << sinks.error().Text();
  const auto outcome = sinks->front()->Send(ExampleNotification(), {});
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  ASSERT_EQ(server.Requests().size(), 1u);
  EXPECT_TRUE(server.Requests()[0].headers.at("host").starts_with("pinned.invalid"));
}

TEST_P(HttpSink, CallsNoPrivateAddressUnlessAllowed) {
  FakeHttpClient http([](const HttpRequest&) { return HttpResponse{.status = 200, .body = "ok"}; });
  SinkConfig config = Configured(std::string("https://inside.example") + kSecretPath);
  auto sinks = MakeSinks({config}, {http, clock_, testing::ResolvesTo({"10.0.0.7"})});
  ASSERT_TRUE(sinks);
  const auto outcome = sinks->front()->Send(ExampleNotification(), {});
  EXPECT_EQ(outcome.result, DeliveryResult::kPermanent);
  EXPECT_NE(outcome.text.find("allow_private"), std::string::npos) << outcome.text;
  CheckText(outcome);
  EXPECT_TRUE(http.Requests().empty());

  config = Configured(std::string("http://127.0.0.1:9") + kSecretPath);
  EXPECT_FALSE(MakeSinks({config}, {http, clock_}));
}

TEST_P(HttpSink, IsNotMadeWithoutItsSecretAndSaysWhichFile) {
  FakeHttpClient http([](const HttpRequest&) { return HttpResponse{}; });
  SinkConfig config = Configured("");
  config.url_file = folder_.path() + "/absent";
  auto sinks = MakeSinks({config}, {http, clock_});
  ASSERT_FALSE(sinks);
  EXPECT_NE(sinks.error().message.find("\"the sink\""), std::string::npos);
  EXPECT_NE(sinks.error().message.find("/absent"), std::string::npos);

  config.url_file = folder_.File("url", "T0SECRETPATH is no address \x01");
  sinks = MakeSinks({config}, {http, clock_});
  ASSERT_FALSE(sinks);
  EXPECT_EQ(sinks.error().Text().find("T0SECRETPATH"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Kinds, HttpSink, ::testing::ValuesIn(HttpKinds()),
                         [](const auto& info) { return std::string(info.param); });

class OneSink : public ::testing::Test {
 protected:
  DeliveryOutcome Send(const std::string& kind, HttpResponse response) {
    FakeHttpClient http([&](const HttpRequest&) { return response; });
    SinkConfig config{.name = "sink", .kind = kind};
    config.url_file = folder_.File("url", "https://hooks.example/services/T/B/X");
    if (kind == "webhook") config.secret_file = folder_.File("secret", kSigningSecret);
    auto sinks = MakeSinks({config}, {http, clock_, testing::ResolvesTo({"93.184.216.34"})});
    const DeliveryOutcome outcome = sinks->front()->Send(ExampleNotification(), {});
    requests_ = http.Requests();
    return outcome;
  }
  TemporaryFolder folder_;
  ManualClock clock_{1614265330999};
  std::vector<HttpRequest> requests_;
};

TEST_F(OneSink, OfSlackReadsTheWordInTheBodyBeforeTheStatus) {
  EXPECT_EQ(Send("slack", {.status = 500, .body = "action_prohibited"}).result,
            DeliveryResult::kPermanent);
  EXPECT_EQ(Send("slack", {.status = 200, .body = "invalid_payload"}).result,
            DeliveryResult::kPermanent);
  EXPECT_EQ(Send("slack", {.status = 404, .body = "no_service\n"}).result,
            DeliveryResult::kPermanent);
  EXPECT_EQ(Send("slack", {.status = 400, .body = "rollup_error"}).result, DeliveryResult::kRetry);
  EXPECT_EQ(Send("slack", {.status = 200, .body = "ok\n"}).result, DeliveryResult::kDelivered);
}

TEST_F(OneSink, OfSlackTakesNothingButOkForAnAcknowledgement) {
  EXPECT_EQ(Send("slack", {.status = 200, .body = "<html>login</html>"}).result,
            DeliveryResult::kRetry);
  EXPECT_EQ(Send("slack", {.status = 200, .body = ""}).result, DeliveryResult::kRetry);
  EXPECT_EQ(Send("slack", {.status = 204, .body = "ok"}).result, DeliveryResult::kRetry);
}

TEST_F(OneSink, OfTheWebhookSignsTheBytesThatItSends) {
  EXPECT_EQ(Send("webhook", {.status = 204}).result, DeliveryResult::kDelivered);
  ASSERT_EQ(requests_.size(), 1u);
  std::map<std::string, std::string> headers(requests_[0].headers.begin(),
                                             requests_[0].headers.end());
  EXPECT_EQ(headers["webhook-id"], ExampleNotification().delivery_id);
  EXPECT_EQ(headers["webhook-timestamp"], "1614265330");
  const auto keys = ParseSigningKeys(Secret(kSigningSecret)).value();
  EXPECT_EQ(headers["webhook-signature"],
            SignatureHeader(keys, headers["webhook-id"], 1614265330, requests_[0].body).value());
}

TEST_F(OneSink, OfSlackRefusesASigningSecret) {
  FakeHttpClient http([](const HttpRequest&) { return HttpResponse{}; });
  SinkConfig config{.name = "sink", .kind = "slack"};
  config.url_file = folder_.File("url", "https://hooks.example/");
  config.secret_file = folder_.File("secret", kSigningSecret);
  EXPECT_FALSE(MakeSinks({config}, {http, clock_}));
}

TEST_F(OneSink, OfAnUnknownKindIsRefusedWithTheKindsThatThereAre) {
  FakeHttpClient http([](const HttpRequest&) { return HttpResponse{}; });
  const auto sinks =
      MakeSinks({{.name = "a", .kind = "pager"}, {.name = "b", .kind = "fax"}}, {http, clock_});
  ASSERT_FALSE(sinks);
  for (const char* word :
       {"\"a\"", "\"b\"", "webhook, slack", "alertmanager, email, command, file"}) {
    EXPECT_NE(sinks.error().message.find(word), std::string::npos) << sinks.error().message;
  }
}

}  // namespace
}  // namespace couplingd
