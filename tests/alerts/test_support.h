// What several tests of alerts/ share.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "alerts/sink.h"
#include "base/files.h"
#include "base/http_client.h"
#include "history/store.h"

namespace couplingd::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "alerts-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  // The path of a new file of mode 0600.
  std::string File(const std::string& name, const std::string& content) const {
    const std::string path = JoinPath(path_, name);
    EXPECT_TRUE(WriteFileAtomically(path, content, 0600));
    return path;
  }

 private:
  std::string path_;
};

// Answers as a test says and remembers what was asked. Thread-safe.
class FakeHttpClient final : public HttpClient {
 public:
  using Handler = std::function<Result<HttpResponse>(const HttpRequest&)>;
  explicit FakeHttpClient(Handler handler) : handler_(std::move(handler)) {}
  Result<HttpResponse> Send(const HttpRequest& request) override {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    return handler_(request);
  }
  std::vector<HttpRequest> Requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  const Handler handler_;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
};

inline HostResolver ResolvesTo(std::vector<std::string> addresses) {
  return [addresses](const std::string&) -> Result<std::vector<std::string>> { return addresses; };
}

inline Alert ExampleAlert(AlertState state = AlertState::kFiring) {
  Alert alert;
  alert.key = "0123456789abcdef0123456789abcdef";
  alert.sequence = state == AlertState::kFiring ? 1 : 2;
  alert.state = state;
  alert.starts_at = 1795442700123;
  if (state == AlertState::kResolved) {
    alert.ends_at = 1795446300000;
    alert.resolution = "The tax phase was left: γ = 0.20 at step 9000.";
  }
  Finding& finding = alert.finding;
  finding.rule = "tax";
  finding.kind = "phase";
  finding.run = "pythia-1b";
  finding.subject = "hellaswag.acc_norm,truthfulqa_mc2.acc,steps";
  finding.active = state == AlertState::kFiring;
  finding.summary = "pythia-1b: truthfulqa_mc2.acc falls as hellaswag.acc_norm improves, γ = -0.32";
  finding.description =
      "γ = -0.32 at step 8000, 95 % interval [-0.45, -0.18] (york, 8 checkpoints).";
  finding.labels = {{"alertname", "tax"}, {"run", "pythia-1b"},
                    {"family", "pythia"}, {"axes", "hellaswag.acc_norm,truthfulqa_mc2.acc"},
                    {"over", "steps"},    {"runbook_url", "https://wiki.example/tax"}};
  finding.values = {{"gamma", -0.32}, {"low", -0.45}, {"high", -0.18}, {"n", 8}};
  finding.interventions = {
      {"curate", "Raise the share of curated text.", "The tax is in the data."}};
  return alert;
}

inline Notification ExampleNotification(AlertState state = AlertState::kFiring,
                                        bool told_firing = true) {
  Notification notification;
  notification.delivery_id = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf";
  AlertNews& news = notification.news.emplace_back();
  news.alert = ExampleAlert(state);
  news.told_firing = told_firing;
  news.delivery.delivery_id = notification.delivery_id;
  news.delivery.sequence = news.alert.sequence;
  news.delivery.alert_key = news.alert.key;
  news.delivery.sink = "sink";
  return notification;
}

inline const DeliveryOutcome kDelivered = {DeliveryResult::kDelivered, std::nullopt, "HTTP 200"};
inline const DeliveryOutcome kRetry = {DeliveryResult::kRetry, std::nullopt, "HTTP 500"};
inline const DeliveryOutcome kPermanent = {DeliveryResult::kPermanent, std::nullopt, "HTTP 404"};

// Odd sequences fire, even ones resolve.
inline Alert AlertWith(const std::string& key, std::int64_t sequence) {
  Alert alert = ExampleAlert(sequence % 2 == 1 ? AlertState::kFiring : AlertState::kResolved);
  alert.key = key;
  alert.sequence = sequence;
  return alert;
}

// A transition and a delivery of it to each sink, due at once.
inline Status SaveFor(HistoryWriter& writer, const Alert& alert,
                      const std::vector<std::string>& sinks) {
  return writer.Transaction([&]() -> Status {
    TRY(writer.SaveAlert(alert));
    for (const std::string& sink : sinks) {
      Delivery delivery;
      delivery.sink = sink;
      delivery.alert_key = alert.key;
      delivery.sequence = alert.sequence;
      TRY(writer.AddDelivery(delivery));
    }
    return {};
  });
}

}  // namespace couplingd::testing
