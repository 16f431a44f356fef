#include <fmt/format.h>

#include <variant>

#include "alerts/endpoint.h"
#include "alerts/slack_errors.h"
#include "alerts/slack_message.h"

namespace couplingd {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// An incoming webhook: posts, and can neither edit nor reply.
class SlackSink final : public Sink {
 public:
  SlackSink(std::string name, Endpoint endpoint)
      : name_(std::move(name)), endpoint_(std::move(endpoint)) {}

  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override {
    return {.pace = {.per_second = 1, .burst = 1}, .most_alerts = kMostAlertsInSlackMessage};
  }

  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    const auto answer = endpoint_.Post(RenderSlack(notification), {}, std::move(stop));
    if (const auto* outcome = std::get_if<DeliveryOutcome>(&answer)) return *outcome;
    const HttpResponse& response = std::get<HttpResponse>(answer);
    const std::string_view word = Trimmed(response.body);
    if (const auto verdict = SlackVerdict(word)) return endpoint_.Outcome(*verdict, response);
    DeliveryOutcome outcome = endpoint_.ByStatus(response);
    if (outcome.result == DeliveryResult::kDelivered && (response.status != 200 || word != "ok")) {
      // Something between us and Slack answered in its place.
      outcome.result = DeliveryResult::kRetry;
      outcome.text += " (not Slack's \"ok\")";
    }
    return outcome;
  }

 private:
  const std::string name_;
  const Endpoint endpoint_;
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeSlackSink(const SinkConfig& config,
                                            const SinkServices& services) {
  if (!config.secret_file.empty()) {
    return Fail(ErrorKind::kUsage, "secret_file is for kind webhook; Slack checks no signatures",
                "remove secret_file from this sink");
  }
  return std::make_unique<SlackSink>(config.name, TRY(Endpoint::Make(config, services, {})));
}

}  // namespace couplingd
