#include <fmt/format.h>

#include <sstream>
#include <variant>

#include "alerts/endpoint.h"
#include "alerts/signature.h"

namespace couplingd {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";

class WebhookSink final : public Sink {
 public:
  WebhookSink(std::string name, Endpoint endpoint, std::vector<Secret> keys, const Clock& clock)
      : name_(std::move(name)),
        endpoint_(std::move(endpoint)),
        keys_(std::move(keys)),
        clock_(clock) {}

  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override {
    return {.pace = {.per_second = 10, .burst = 20}, .most_alerts = kMostTold};
  }

  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    const std::string body = RenderWebhook(notification);
    const std::string& id = notification.delivery_id;
    const std::int64_t timestamp = clock_.Now() / 1000;
    Headers headers = {{"webhook-id", id}, {"webhook-timestamp", fmt::format("{}", timestamp)}};
    if (!keys_.empty()) {
      Result<std::string> signature = SignatureHeader(keys_, id, timestamp, body);
      if (!signature) return {DeliveryResult::kRetry, std::nullopt, signature.error().Text()};
      headers.emplace_back("webhook-signature", std::move(*signature));
    }
    const auto answer = endpoint_.Post(body, headers, std::move(stop));
    if (const auto* outcome = std::get_if<DeliveryOutcome>(&answer)) return *outcome;
    return endpoint_.ByStatus(std::get<HttpResponse>(answer));
  }

 private:
  const std::string name_;
  const Endpoint endpoint_;
  const std::vector<Secret> keys_;
  const Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeWebhookSink(const SinkConfig& config,
                                              const SinkServices& services) {
  std::vector<Secret> secrets, keys;
  if (!config.secret_file.empty()) {
    const Secret secret = TRY(ReadSecret(config.secret_file));
    secrets.push_back(secret);
    std::istringstream words(secret.Reveal());
    for (std::string word; words >> word;) {
      secrets.emplace_back(word);
      if (word.starts_with(kSecretPrefix)) secrets.emplace_back(word.substr(kSecretPrefix.size()));
    }
    Result<std::vector<Secret>> parsed = ParseSigningKeys(secret);
    if (!parsed) return std::unexpected(parsed.error().Within(config.secret_file));
    keys = std::move(*parsed);
  }
  Endpoint endpoint = TRY(Endpoint::Make(config, services, secrets));
  return std::make_unique<WebhookSink>(config.name, std::move(endpoint), std::move(keys),
                                       services.clock);
}

}  // namespace couplingd
