// Against the real Prometheus Alertmanager, started here on loopback; it notifies a server of ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <optional>

#include "alerts/delivery.h"
#include "base/json.h"
#include "base/process.h"
#include "tests/alerts/local_server.h"
#include "tests/alerts/test_support.h"
#include "tests/eventually.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::AlertWith;
using testing::ExampleNotification;
using testing::LocalServer;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::TemporaryFolder;

const std::string kUnpacked = COUPLINGD_SOURCE_DIR "/.deps/alertmanager/usr";

// The program with what has to stand before it; empty where there is none. Debian's looks for its
// templates in /usr/share: where the package is unpacked rather than installed, it is shown them
// there in a mount namespace of its own.
std::vector<std::string> Command() {
  if (::access("/usr/bin/prometheus-alertmanager", X_OK) == 0) {
    return {"/usr/bin/prometheus-alertmanager"};
  }
  const std::string unpacked = kUnpacked + "/bin/prometheus-alertmanager";
  if (::access(unpacked.c_str(), X_OK) != 0) return {};
  return {"unshare",
          "--user",
          "--map-root-user",
          "--mount",
          "/bin/sh",
          "-c",
          "mount -t tmpfs templates /usr/share && cp -r \"$0/share/prometheus\" /usr/share && "
          "exec \"$0/bin/prometheus-alertmanager\" \"$@\"",
          kUnpacked};
}

bool CanRun() {
  ProcessOptions options;
  options.arguments = Command();
  if (options.arguments.empty()) return false;
  options.arguments.push_back("--version");
  options.environment = MinimalEnvironment();
  const auto output = RunProcess(options, "", 20s);
  return output && output->exit.ok();
}

int FreePort() {
  using tcp = boost::asio::ip::tcp;
  boost::asio::io_context context;
  return tcp::acceptor(context, {boost::asio::ip::address_v4::loopback(), 0})
      .local_endpoint()
      .port();
}

// One that listens on loopback, is in no cluster and notifies `receiver` at once.
class Alertmanager {
 public:
  Alertmanager(const TemporaryFolder& folder, const std::string& name, const std::string& receiver)
      : data_(folder.path() + "/" + name), port_(FreePort()) {
    config_ = folder.File(name + ".yml",
                          "route: {receiver: us, group_by: ['...'], group_wait: 0s, "
                          "group_interval: 1s, repeat_interval: 4h}\n"
                          "receivers: [{name: us, webhook_configs: [{url: '" +
                              receiver + "'}]}]\n");
    Start();
  }

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  void Start() {
    ProcessOptions options;
    options.arguments = Command();
    for (const std::string& flag :
         {"--config.file=" + config_, "--storage.path=" + data_,
          "--web.listen-address=127.0.0.1:" + std::to_string(port_),
          std::string("--cluster.listen-address="), std::string("--log.level=error")}) {
      options.arguments.push_back(flag);
    }
    options.environment = MinimalEnvironment();
    auto process = Process::Start(options);
    ASSERT_TRUE(process) << process.error().Text();
    process_.emplace(std::move(*process));
    ASSERT_TRUE(Eventually([&] { return Get("/-/ready").has_value(); }));
  }
  // With SIGTERM it writes down whom it has notified; with SIGKILL it does not.
  void End(int signal) {
    process_->Signal(signal);
    (void)process_->Wait();
    process_.reset();
  }

  // "alertname state startsAt" of each alert it knows.
  std::vector<std::string> Alerts() const {
    std::vector<std::string> alerts;
    const auto body = Get("/api/v2/alerts");
    if (!body) return {"no answer"};
    const JsonDocument json = ParseJson(*body, "alerts").value();
    for (const JsonValue& alert : json.GetArray()) {
      alerts.push_back(std::string(alert["labels"]["alertname"].GetString()) + " " +
                       alert["status"]["state"].GetString() + " " + alert["startsAt"].GetString());
    }
    return alerts;
  }

 private:
  std::optional<std::string> Get(const std::string& path) const {
    const auto response = http_->Send({.method = "GET", .url = Secret(Url() + path)});
    if (!response || response->status != 200) return std::nullopt;
    return response->body;
  }

  const std::string data_;
  const int port_;
  std::string config_;
  const std::unique_ptr<HttpClient> http_ = MakeCurlHttpClient();
  std::optional<Process> process_;
};

class RealAlertmanager : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanRun()) {
      GTEST_SKIP() << "prometheus-alertmanager is not here (./dev test fetches it) or cannot run";
    }
    alertmanager_.emplace(folder_, "one", receiver_.Url("/"));
  }

  std::shared_ptr<Sink> MakeSink(const std::string& urls) {
    SinkConfig config{.name = "sink", .kind = "alertmanager"};
    config.url_file = folder_.File("urls", urls);
    config.allow_private = true;
    auto sinks = MakeSinks({config}, {*http_, clock_});
    EXPECT_TRUE(sinks) << sinks.error().Text();
    return std::move(sinks->front());
  }

  // An alert that began a minute ago, by the clock that Alertmanager has too.
  Alert Now(AlertState state) const {
    Alert alert = testing::ExampleAlert(state);
    alert.starts_at = began_;
    if (state == AlertState::kResolved) alert.ends_at = clock_.Now();
    return alert;
  }
  Notification Tell(AlertState state) const {
    Notification notification = ExampleNotification(state);
    notification.news.front().alert = Now(state);
    return notification;
  }

  // The statuses that Alertmanager has notified, in order.
  std::vector<std::string> Notified() const {
    std::vector<std::string> statuses;
    for (const ServedRequest& request : receiver_.Requests()) {
      const JsonDocument body = ParseJson(request.body, "notification").value();
      statuses.push_back(body["status"].GetString());
    }
    return statuses;
  }

  const TemporaryFolder folder_;
  const SystemClock clock_;
  const UnixMillis began_ = SystemClock().Now() - 60000;
  const std::string active_ = "tax active " + FormatTime(began_);
  const std::unique_ptr<HttpClient> http_ = MakeCurlHttpClient();
  LocalServer receiver_{[](const ServedRequest&) { return ServedAnswer{}; }};
  std::optional<Alertmanager> alertmanager_;
};

using Strings = std::vector<std::string>;

TEST_F(RealAlertmanager, IsToldOfFiringAndResolvedAcrossARestartOfItsOwn) {
  const auto sink = MakeSink(alertmanager_->Url());
  const DeliveryOutcome fired = sink->Send(Tell(AlertState::kFiring), {});
  EXPECT_EQ(fired.result, DeliveryResult::kDelivered) << fired.text;
  EXPECT_EQ(alertmanager_->Alerts(), Strings{active_});
  ASSERT_TRUE(Eventually([&] { return Notified() == Strings{"firing"}; }));

  alertmanager_->End(SIGTERM);
  EXPECT_EQ(sink->Refresh({Now(AlertState::kFiring)}, {}).result, DeliveryResult::kRetry);
  alertmanager_->Start();
  EXPECT_EQ(alertmanager_->Alerts(), Strings{}) << "it forgets; that is what refreshing is for";
  EXPECT_EQ(sink->Refresh({Now(AlertState::kFiring)}, {}).result, DeliveryResult::kDelivered);
  EXPECT_EQ(alertmanager_->Alerts(), Strings{active_}) << "with the time at which it began";

  EXPECT_EQ(sink->Send(Tell(AlertState::kResolved), {}).result, DeliveryResult::kDelivered);
  ASSERT_TRUE(Eventually([&] { return Notified().back() == "resolved"; }));
  // Ended just after it notified, it may not have written that down, and notifies once more.
  Strings notified = Notified();
  notified.erase(std::unique(notified.begin(), notified.end()), notified.end());
  EXPECT_EQ(notified, (Strings{"firing", "resolved"}));
}

TEST_F(RealAlertmanager, IsToldOfTheEndEvenIfItDiedBetweenWithoutAWord) {
  const auto sink = MakeSink(alertmanager_->Url());
  ASSERT_EQ(sink->Send(Tell(AlertState::kFiring), {}).result, DeliveryResult::kDelivered);
  ASSERT_TRUE(Eventually([&] { return Notified() == Strings{"firing"}; }));
  alertmanager_->End(SIGKILL);
  alertmanager_->Start();
  ASSERT_EQ(sink->Refresh({Now(AlertState::kFiring)}, {}).result, DeliveryResult::kDelivered);
  ASSERT_TRUE(Eventually([&] { return Notified().size() == 2; })) << "it notifies once more";
  ASSERT_EQ(sink->Send(Tell(AlertState::kResolved), {}).result, DeliveryResult::kDelivered);
  ASSERT_TRUE(Eventually([&] { return Notified().size() == 3; }));
  EXPECT_EQ(Notified(), (Strings{"firing", "firing", "resolved"}));
}

TEST_F(RealAlertmanager, IsToldTheSameAcrossARestartOfOurs) {
  const auto with_loop = [&](const std::function<Status(HistoryWriter&)>& first) {
    std::mutex mutex;
    auto writer = HistoryWriter::Open(folder_.path() + "/state", clock_);
    ASSERT_TRUE(writer) << writer.error().Text();
    DeliveryLoop loop(
        {MakeSink(alertmanager_->Url())},
        [&](std::function<void(HistoryWriter&)> task) {
          const std::lock_guard lock(mutex);
          task(**writer);
        },
        clock_);
    {
      const std::lock_guard lock(mutex);
      ASSERT_TRUE(first(**writer));
    }
    loop.Start();
    ASSERT_TRUE(Eventually([&] {
      const std::lock_guard lock(mutex);
      return (*writer)->reader().Deliveries("pending").value().empty();
    }));
  };
  Alert firing = Now(AlertState::kFiring), resolved = Now(AlertState::kResolved);
  with_loop([&](HistoryWriter& writer) { return testing::SaveFor(writer, firing, {"sink"}); });
  EXPECT_EQ(alertmanager_->Alerts(), Strings{active_});
  ASSERT_TRUE(Eventually([&] { return Notified() == Strings{"firing"}; }));
  with_loop([&](HistoryWriter& writer) { return testing::SaveFor(writer, resolved, {"sink"}); });
  ASSERT_TRUE(Eventually([&] { return Notified().size() >= 2; }));
  EXPECT_EQ(Notified(), (Strings{"firing", "resolved"}));
}

TEST_F(RealAlertmanager, IsToldOnEveryReplicaAndOneIsEnough) {
  Alertmanager second(folder_, "two", receiver_.Url("/two"));
  const std::string dead = "http://127.0.0.1:" + std::to_string(FreePort());
  const auto sink =
      MakeSink(alertmanager_->Url() + "/\n\n" + dead + "\n" + second.Url() + "/api/v2/alerts\n");
  const DeliveryOutcome outcome = sink->Send(Tell(AlertState::kFiring), {});
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  EXPECT_THAT(outcome.text, ::testing::StartsWith("2 of 3 replicas took it; replica 2: "));
  EXPECT_EQ(alertmanager_->Alerts(), Strings{active_});
  EXPECT_EQ(second.Alerts(), Strings{active_});
}

TEST_F(RealAlertmanager, KeepsTwoAlertsApartWhoseLabelsAreAlike) {
  const auto sink = MakeSink(alertmanager_->Url());
  Notification notification = Tell(AlertState::kFiring);
  notification.news.push_back(notification.news.front());
  notification.news.back().alert.key = "fedcba9876543210fedcba9876543210";
  ASSERT_EQ(sink->Send(notification, {}).result, DeliveryResult::kDelivered);
  EXPECT_EQ(alertmanager_->Alerts().size(), 2u);
}

}  // namespace
}  // namespace couplingd
