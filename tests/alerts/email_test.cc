// The email sink against SMTP servers on loopback, and its mail against RFC 5322 and MIME.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alerts/mail_message.h"
#include "base/json.h"
#include "base/mail.h"
#include "base/process.h"
#include "tests/alerts/certificates.h"
#include "tests/alerts/smtp_server.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::ExampleNotification;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ServedMail;
using testing::ServerIdentity;
using testing::SmtpServer;
using testing::TemporaryFolder;

constexpr UnixMillis kNow = 1795442700000;  // 2026-11-23T14:05:00Z, a Monday

class Email : public ::testing::Test {
 protected:
  DeliveryOutcome Send(const std::string& url, const std::string& ca_file = "",
                       const Notification& notification = ExampleNotification()) {
    SinkConfig config{.name = "mail", .kind = "email"};
    config.url_file = folder_.File("url", url);
    config.from = "couplingd@sink.test";
    config.to = to_;
    config.ca_file = ca_file;
    config.allow_private = true;
    auto sinks = MakeSinks({config}, {*http_, clock_, testing::ResolvesTo({address_})});
    if (!sinks) return {DeliveryResult::kPermanent, std::nullopt, sinks.error().Text()};
    return sinks->front()->Send(notification, {});
  }
  ServerIdentity Identity(const std::string& name) {
    EXPECT_TRUE(testing::MakeCertificate(folder_.path(), name));
    const std::string path = folder_.path() + "/" + name;
    return {.certificate = path + ".pem", .key = path + ".key"};
  }
  std::string Authority() const { return folder_.path() + "/ca.pem"; }
  static std::string At(const std::string& scheme, const SmtpServer& server,
                        const std::string& user = "") {
    return scheme + "://" + user + "sink.test:" + std::to_string(server.Port());
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<HttpClient> http_ = MakeCurlHttpClient();
  ManualClock clock_{kNow};
  std::vector<std::string> to_ = {"oncall@sink.test"};
  std::string address_ = "127.0.0.1";
};

TEST_F(Email, GoesEncryptedFromTheStartWithUserAndPassword) {
  SmtpServer server({}, Identity("good"), true);
  const auto outcome = Send(At("smtps", server, "ops:pass%20word@"), Authority());
  ASSERT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  ASSERT_EQ(server.Mails().size(), 1u);
  const ServedMail mail = server.Mails()[0];
  EXPECT_TRUE(mail.encrypted);
  EXPECT_THAT(mail.login, HasSubstr("AG9wcwBwYXNzIHdvcmQ="));  // base64 of "\0ops\0pass word"
  EXPECT_EQ(mail.from, "<couplingd@sink.test>");
  EXPECT_THAT(mail.to, ElementsAre("<oncall@sink.test>"));
}

TEST_F(Email, GoesToNoServerWithACertificateOfAnotherAuthorityOrName) {
  SmtpServer stranger({}, Identity("unknown_authority"), true);
  EXPECT_EQ(Send(At("smtps", stranger), Authority()).result, DeliveryResult::kRetry);
  EXPECT_TRUE(stranger.Mails().empty());
  SmtpServer other({}, Identity("wrong_host"), true);
  EXPECT_EQ(Send(At("smtps", other), Authority()).result, DeliveryResult::kRetry);
  EXPECT_TRUE(other.Mails().empty());
}

TEST_F(Email, InTheClearIsForThisMachineAlone) {
  SmtpServer plain;
  EXPECT_EQ(Send(At("smtp", plain)).result, DeliveryResult::kDelivered);
  // An address of this machine that is not loopback by its looks: STARTTLS is asked for.
  MailRequest request;
  request.url = Secret("smtp://127.0.0.1:" + std::to_string(plain.Port()));
  request.from = "a@sink.test";
  request.to = {"b@sink.test"};
  request.message = "Subject: x\r\n\r\nx\r\n";
  EXPECT_FALSE(SendMail(request)) << "the server offers no STARTTLS";
  EXPECT_EQ(plain.Mails().size(), 1u);
}

TEST_F(Email, BecomesEncryptedByStartTls) {
  SmtpServer server({}, Identity("good"));
  MailRequest request;
  request.url = Secret(At("smtp", server));
  request.addresses = {"127.0.0.1"};
  request.ca_file = Authority();
  request.from = "a@sink.test";
  request.to = {"b@sink.test"};
  request.message = "Subject: x\r\n\r\n.a dot\r\n..two\r\n";
  const auto answer = SendMail(request);
  ASSERT_TRUE(answer) << answer.error().Text();
  EXPECT_TRUE(answer->taken) << answer->text;
  ASSERT_EQ(server.Mails().size(), 1u);
  EXPECT_TRUE(server.Mails()[0].encrypted);
  EXPECT_EQ(server.Mails()[0].data, request.message) << "dots arrive as they were";
}

TEST_F(Email, TakesTheServersFirstDigitForItsAnswer) {
  const std::tuple<const char*, const char*, DeliveryResult> cases[] = {
      {"AUTH", "535 5.7.8 bad credentials", DeliveryResult::kPermanent},
      {"AUTH", "454 4.7.0 later", DeliveryResult::kRetry},
      {"MAIL", "550 not from you", DeliveryResult::kPermanent},
      {"MAIL", "452 no space", DeliveryResult::kRetry},
      {"RCPT", "450 greylisted", DeliveryResult::kRetry},
      {"DATA", "554 no", DeliveryResult::kPermanent},
      {".", "554 spam", DeliveryResult::kPermanent},
      {".", "451 local error", DeliveryResult::kRetry},
      {"CONNECT", "421 too busy", DeliveryResult::kRetry},
  };
  for (const auto& [verb, reply, result] : cases) {
    SmtpServer server([verb, reply](const std::string& line) {
      return line.starts_with(verb) && (*verb != '.' || line == ".") ? reply : std::string();
    });
    const auto outcome = Send(At("smtp", server, "ops:password@"));
    EXPECT_EQ(outcome.result, result) << verb << " " << reply << ": " << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(reply)) << verb;
    EXPECT_TRUE(server.Mails().empty());
  }
}

TEST_F(Email, ReachesTheOthersWhereOneRecipientIsRefusedForGoodAndSaysSo) {
  to_ = {"gone@sink.test", "oncall@sink.test"};
  SmtpServer server([](const std::string& line) {
    return line.starts_with("RCPT TO:<gone") ? "550 no such user" : "";
  });
  const auto outcome = Send(At("smtp", server));
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered);
  EXPECT_THAT(outcome.text, HasSubstr("550 no such user"));
  ASSERT_EQ(server.Mails().size(), 1u);
  EXPECT_THAT(server.Mails()[0].to, ElementsAre("<oncall@sink.test>"));
}

TEST_F(Email, WaitsForAllWhereOneRecipientIsPutOff) {
  to_ = {"slow@sink.test", "oncall@sink.test"};
  SmtpServer server([](const std::string& line) {
    return line.starts_with("RCPT TO:<slow") ? "450 greylisted" : "";
  });
  EXPECT_EQ(Send(At("smtp", server)).result, DeliveryResult::kRetry);
  EXPECT_TRUE(server.Mails().empty());
}

TEST_F(Email, CallsNoPrivateAddressUnlessAllowedAndNoLinkLocalOneAtAll) {
  SmtpServer server;
  address_ = "169.254.169.254";
  EXPECT_EQ(Send(At("smtp", server)).result, DeliveryResult::kPermanent);
  EXPECT_THAT(Send("http://sink.test").text, HasSubstr("use smtps"));
}

std::string HeaderOf(const Mail& mail, const std::string& name) {
  const std::size_t begin = mail.message.find("\r\n" + name + ": ");
  if (begin == std::string::npos) return "";
  const std::size_t from = begin + name.size() + 4;
  return mail.message.substr(from, mail.message.find("\r\n", from) - from);
}

Mail Render(const Notification& notification, UnixMillis now = kNow) {
  return RenderMail(notification, "couplingd@sink.test", {"a@sink.test", "b@sink.test"}, now);
}

TEST(QuotedPrintableText, KeepsWhatMailServersWouldChange) {
  EXPECT_EQ(QuotedPrintable(".\nFrom me\nx \ny\t= γ\n..z"),
            "=2E\r\n=46rom me\r\nx=20\r\ny=09=3D =CE=B3\r\n=2E.z");
  EXPECT_EQ(
      QuotedPrintable(std::string(75, 'a') + "." + std::string(80, 'b')),
      std::string(75, 'a') + "=\r\n=2E" + std::string(72, 'b') + "=\r\n" + std::string(8, 'b'));
}

TEST(MailMessage, HasTheSameIdOnEveryAttemptAndTheDateOfTheAttempt) {
  const Mail first = Render(ExampleNotification());
  const Mail second = Render(ExampleNotification(), kNow + 3600000);
  EXPECT_EQ(HeaderOf(first, "Message-ID"), "<d0d1d2d3d4d5d6d7d8d9dadbdcdddedf@sink.test>");
  EXPECT_EQ(HeaderOf(first, "Message-ID"), HeaderOf(second, "Message-ID"));
  EXPECT_TRUE(first.message.starts_with("Date: Mon, 23 Nov 2026 14:05:00 +0000\r\n"));
  EXPECT_EQ(HeaderOf(first, "In-Reply-To"), "");
  EXPECT_EQ(HeaderOf(first, "Auto-Submitted"), "auto-generated");
}

TEST(MailMessage, AnswersWhatTheSameAlertWasToldInBeforeSoThatAnIncidentIsOneThread) {
  const Mail firing = Render(ExampleNotification());
  Notification later = ExampleNotification(AlertState::kResolved);
  later.delivery_id = "11111111111111111111111111111111";
  later.news.front().receipt = firing.thread;
  const Mail resolved = Render(later);
  EXPECT_EQ(HeaderOf(resolved, "In-Reply-To"), HeaderOf(firing, "Message-ID"));
  EXPECT_EQ(HeaderOf(resolved, "References"), HeaderOf(firing, "Message-ID"));
  Notification again = ExampleNotification();
  again.delivery_id = "22222222222222222222222222222222";
  again.news.front().receipt = resolved.thread;
  const Mail third = Render(again);
  EXPECT_EQ(HeaderOf(third, "In-Reply-To"), HeaderOf(resolved, "Message-ID"));
  EXPECT_THAT(third.message, HasSubstr("References: " + HeaderOf(firing, "Message-ID") + "\r\n " +
                                       HeaderOf(resolved, "Message-ID") + "\r\n"));
}

TEST(MailMessage, LetsNoTextEndAHeaderOrBeginAnother) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.finding.summary =
      "quiet\r\nBcc: everyone@example.org\r\n\r\nand a body\x01";
  const Mail mail = Render(notification);
  const std::string head = mail.message.substr(0, mail.message.find("\r\n\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(head, HasSubstr("Content-Type: multipart/alternative"));
}

TEST(MailMessage, IsAsciiInShortLinesThatEndAsTheyShould) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.finding.description = std::string(3000, 'x') + "\n.\nγ …";
  notification.news.front().chart_png = std::string(5000, '\xff');
  const std::string message = Render(notification).message;
  std::size_t at = 0;
  while (at < message.size()) {
    const std::size_t end = message.find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 78u);
    for (std::size_t i = at; i < end; ++i) {
      ASSERT_TRUE(message[i] == '\t' || (message[i] >= 0x20 && message[i] < 0x7f));
    }
    at = end + 2;
  }
}

// What another implementation makes of it: Python's email package.
TEST(MailMessage, IsReadByPythonAsWhatWasMeant) {
  Notification notification = ExampleNotification();
  AlertNews& news = notification.news.front();
  news.alert.finding.summary = "γ fällt — <b>&amp;</b> \"" + std::string(120, 'y') + "\"";
  news.alert.finding.description = ".first line\n..second = line \n" + std::string(200, 'z') + " ";
  news.chart_png = std::string("\x89PNG\r\n\x1a\n\0\xff rest", 15);
  notification.news.push_back(ExampleNotification(AlertState::kResolved).news.front());
  ProcessOptions options;
  options.arguments = {"python3", COUPLINGD_SOURCE_DIR "/bench/oracle/read_mail.py"};
  options.environment = MinimalEnvironment();
  const auto output = RunProcess(options, Render(notification).message, std::chrono::seconds(30));
  if (!output) GTEST_SKIP() << "there is no python3: " << output.error().Text();
  ASSERT_TRUE(output->exit.ok()) << output->err;
  const JsonDocument read = ParseJson(output->out, "read_mail.py").value();
  EXPECT_EQ(read["defects"].Size(), 0u) << output->out;
  EXPECT_THAT(read["subject"].GetString(),
              HasSubstr("[FIRING] warning: γ fällt — <b>&amp;</b> \""));
  EXPECT_STREQ(read["to"].GetString(), "a@sink.test, b@sink.test");
  EXPECT_THAT(read["plain"].GetString(),
              HasSubstr("Why: .first line\n..second = line \n" + std::string(200, 'z') + " \n"));
  EXPECT_THAT(read["plain"].GetString(), HasSubstr("2 alerts: 1 firing, 1 over."));
  EXPECT_THAT(read["html"].GetString(), HasSubstr("γ fällt — &lt;b&gt;&amp;amp;&lt;/b&gt;"));
  EXPECT_THAT(read["html"].GetString(), HasSubstr(read["image_id"].GetString()));
  EXPECT_STREQ(read["image_hex"].GetString(), "89504e470d0a1a0a00ff2072657374");
  EXPECT_STREQ(read["shape"].GetString(),
               "multipart/alternative(text/plain, multipart/related(text/html, image/png))");
}

}  // namespace
}  // namespace couplingd
