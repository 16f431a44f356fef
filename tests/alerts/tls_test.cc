// Whom the sinks' connections trust: servers on loopback that call themselves sink.test and show
// certificates made for the occasion.
#include <gtest/gtest.h>

#include "tests/alerts/certificates.h"
#include "tests/alerts/local_server.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using testing::ExampleNotification;
using testing::LocalServer;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::ServerIdentity;
using testing::TemporaryFolder;

class Certificates : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { folder_ = std::make_unique<TemporaryFolder>(); }
  static void TearDownTestSuite() { folder_.reset(); }

  struct Answer {
    DeliveryOutcome outcome;
    std::size_t requests = 0;
  };
  Answer Ask(const std::string& name, const std::string& ca_file, const std::string& host = "") {
    EXPECT_TRUE(testing::MakeCertificate(folder_->path(), name)) << name;
    const std::string path = folder_->path() + "/" + name;
    LocalServer server([](const ServedRequest&) { return ServedAnswer{}; },
                       {.certificate = path + ".pem",
                        .key = path + ".key",
                        .only_tls_1_1 = name == "good_but_tls_1_1"});
    std::string url = server.Url("/");
    if (!host.empty()) url.replace(url.find("sink.test"), 9, host);
    SinkConfig config{.name = "sink", .kind = "webhook"};
    config.url_file = folder_->File("url", url);
    config.ca_file = ca_file;
    config.allow_private = true;
    const auto http = MakeCurlHttpClient();
    auto sinks = MakeSinks({config}, {*http, clock_, testing::ResolvesTo({"127.0.0.1"})});
    EXPECT_TRUE(sinks) << sinks.error().Text();
    const DeliveryOutcome outcome = sinks->front()->Send(ExampleNotification(), {});
    return {outcome, server.Requests().size()};
  }
  static std::string Authority() { return folder_->path() + "/ca.pem"; }

  static std::unique_ptr<TemporaryFolder> folder_;
  const SystemClock clock_;
};

std::unique_ptr<TemporaryFolder> Certificates::folder_;

TEST_F(Certificates, ThatAreGoodAreTaken) {
  for (const char* name : {"good", "good_by_intermediate"}) {
    const Answer answer = Ask(name, Authority());
    EXPECT_EQ(answer.outcome.result, DeliveryResult::kDelivered) << answer.outcome.text;
    EXPECT_EQ(answer.requests, 1u);
  }
}

TEST_F(Certificates, ThatAreBadAreRefusedBeforeAWordIsSaid) {
  const char* bad[] = {"expired",
                       "not_yet_valid",
                       "wrong_host",
                       "wildcard_too_deep",
                       "wrong_address",
                       "name_only_as_another_kind",
                       "self_signed",
                       "unknown_authority",
                       "short_rsa_key",
                       "sha1_signature",
                       "for_clients_only",
                       "issued_by_no_authority",
                       "outside_name_constraints",
                       "intermediate_expired",
                       "good_but_tls_1_1"};
  for (const char* name : bad) {
    const Answer answer = Ask(name, Authority());
    EXPECT_EQ(answer.outcome.result, DeliveryResult::kRetry) << name << ": " << answer.outcome.text;
    EXPECT_EQ(answer.requests, 0u) << name;
  }
}

TEST_F(Certificates, AreJudgedByTheSinksOwnAuthorityAlone) {
  EXPECT_EQ(Ask("good", "").requests, 0u) << "the system does not know the tests' authority";
  EXPECT_EQ(Ask("good", "/etc/ssl/certs/ca-certificates.crt").requests, 0u);
}

TEST_F(Certificates, OfANameAreNoneOfItsAddress) {
  EXPECT_EQ(Ask("good", Authority(), "127.0.0.1").requests, 0u);
}

}  // namespace
}  // namespace couplingd
