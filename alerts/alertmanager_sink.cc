// Prometheus Alertmanager, API version 2. It keeps nothing over a restart and lets go of what is
// not repeated, so what fires is sent with an end in the near future and refreshed long before it.
#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <variant>

#include "alerts/endpoint.h"
#include "alerts/wire_labels.h"
#include "base/json.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRefresh = std::chrono::seconds(60);
constexpr std::string_view kPath = "/api/v2/alerts";
constexpr std::size_t kKeyDigits = 16;

void WriteTexts(JsonWriter& json, std::string_view name, const Texts& texts) {
  json.Key(name).BeginObject();
  for (const auto& [key, value] : texts) json.Field(key, value);
  json.EndObject();
}

void WriteAlert(JsonWriter& json, const Alert& alert, UnixMillis now) {
  const bool fires = alert.state == AlertState::kFiring;
  const UnixMillis end = fires ? now + 3 * kRefresh.count() : alert.ends_at;
  Texts labels = WireLabels(alert.finding);
  labels["alert_key"] = alert.key.substr(0, kKeyDigits);  // two alerts never share all labels
  json.BeginObject();
  WriteTexts(json, "labels", labels);
  WriteTexts(json, "annotations", WireAnnotations(alert));
  json.Field("startsAt", FormatTime(alert.starts_at))
      .Field("endsAt", FormatTime(std::max(end, alert.starts_at)))
      .EndObject();
}

std::string Body(const std::vector<Alert>& alerts, UnixMillis now) {
  JsonWriter json;
  json.BeginArray();
  for (const Alert& alert : alerts) WriteAlert(json, alert, now);
  json.EndArray();
  return json.Text();
}

// Taken by one replica is delivered: refreshing brings the others what they missed. Otherwise it
// may work later unless all of them refuse for good.
DeliveryOutcome Combine(const std::vector<DeliveryOutcome>& outcomes) {
  if (outcomes.size() == 1) return outcomes.front();
  const auto is = [](DeliveryResult result) {
    return [result](const DeliveryOutcome& outcome) { return outcome.result == result; };
  };
  DeliveryOutcome combined;
  if (std::ranges::any_of(outcomes, is(DeliveryResult::kDelivered))) {
    combined.result = DeliveryResult::kDelivered;
  } else if (std::ranges::any_of(outcomes, is(DeliveryResult::kCancelled))) {
    combined.result = DeliveryResult::kCancelled;
  } else if (std::ranges::all_of(outcomes, is(DeliveryResult::kPermanent))) {
    combined.result = DeliveryResult::kPermanent;
  }
  const auto taken = std::ranges::count_if(outcomes, is(DeliveryResult::kDelivered));
  combined.text = fmt::format("{} of {} replicas took it", taken, outcomes.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const DeliveryOutcome& outcome = outcomes[i];
    if (outcome.result == DeliveryResult::kDelivered) continue;
    combined.text += fmt::format("; replica {}: {}", i + 1, outcome.text);
    if (combined.result != DeliveryResult::kRetry || !outcome.retry_after) continue;
    combined.retry_after =
        std::min(*outcome.retry_after, combined.retry_after.value_or(*outcome.retry_after));
  }
  return combined;
}

class AlertmanagerSink final : public Sink {
 public:
  AlertmanagerSink(std::string name, std::vector<Endpoint> replicas, Secret token,
                   const Clock& clock)
      : name_(std::move(name)),
        replicas_(std::move(replicas)),
        token_(std::move(token)),
        clock_(clock) {}

  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override {
    return {.pace = {.per_second = 10, .burst = 20},
            .most_alerts = static_cast<int>(kMostDigested),
            .refresh_every = kRefresh};
  }

  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    std::vector<Alert> alerts;
    for (const AlertNews& news : notification.news) alerts.push_back(news.alert);
    return Refresh(alerts, std::move(stop));
  }

  DeliveryOutcome Refresh(const std::vector<Alert>& alerts, std::stop_token stop) override {
    if (alerts.empty()) return {DeliveryResult::kDelivered, std::nullopt, "nothing to refresh"};
    const std::string body = Body(alerts, clock_.Now());
    std::vector<DeliveryOutcome> outcomes(replicas_.size());
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < replicas_.size(); ++i) {
      others.emplace_back([&, i] { outcomes[i] = Post(replicas_[i], body, stop); });
    }
    outcomes[0] = Post(replicas_[0], body, stop);
    others.clear();
    return Combine(outcomes);
  }

 private:
  DeliveryOutcome Post(const Endpoint& replica, const std::string& body,
                       const std::stop_token& stop) const {
    Headers headers;
    if (!token_.empty()) headers.emplace_back("authorization", "Bearer " + token_.Reveal());
    const auto answer = replica.Post(body, headers, stop);
    if (const auto* outcome = std::get_if<DeliveryOutcome>(&answer)) return *outcome;
    return replica.ByStatus(std::get<HttpResponse>(answer));
  }

  const std::string name_;
  const std::vector<Endpoint> replicas_;
  const Secret token_;
  const Clock& clock_;
};

// The address of the API below the one that Alertmanager's pages have.
Secret ApiUrl(const Secret& url) {
  std::string text = url.Reveal();
  while (text.ends_with('/')) text.pop_back();
  return Secret(text.ends_with(kPath) ? text : text.append(kPath));
}

}  // namespace

Result<std::unique_ptr<Sink>> MakeAlertmanagerSink(const SinkConfig& config,
                                                   const SinkServices& services) {
  const std::vector<Secret> urls = TRY(ReadSecretLines(config.url_file));
  std::vector<Secret> secrets = urls;
  Secret token;
  if (!config.token_file.empty()) {
    token = TRY(ReadSecret(config.token_file));
    secrets.push_back(token);
  }
  std::vector<Endpoint> replicas;
  for (std::size_t i = 0; i < urls.size(); ++i) {
    Result<Endpoint> replica = Endpoint::At(ApiUrl(urls[i]), config, services, secrets);
    if (!replica) {
      return std::unexpected(
          replica.error().Within(fmt::format("{}: address {}", config.url_file, i + 1)));
    }
    replicas.push_back(std::move(*replica));
  }
  return std::make_unique<AlertmanagerSink>(config.name, std::move(replicas), std::move(token),
                                            services.clock);
}

}  // namespace couplingd
