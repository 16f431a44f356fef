#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <variant>

#include "alerts/endpoint.h"

namespace couplingd {
namespace {

// What Slack answers in the body, whatever the status: the list of docs.slack.dev, "Sending
// messages using incoming webhooks", and those seen in the field (msg_blocks_too_long;
// action_prohibited comes with 403 and with 500).
constexpr std::string_view kPermanentErrors[] = {
    "account_inactive",
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_blocks",
    "invalid_payload",
    "invalid_token",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "no_text",
    "posting_to_general_channel_denied",
    "team_disabled",
    "token_revoked",
    "too_many_attachments",
    "user_not_found",
};
constexpr std::string_view kTemporaryErrors[] = {
    "fatal_error",  "internal_error",      "rate_limited", "ratelimited",
    "rollup_error", "service_unavailable", "timeout",
};

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool IsAmong(std::string_view text, std::span<const std::string_view> list) {
  return std::ranges::find(list, text) != list.end();
}

class SlackSink final : public Sink {
 public:
  SlackSink(std::string name, Endpoint endpoint)
      : name_(std::move(name)), endpoint_(std::move(endpoint)) {}

  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override { return {.pace = {.per_second = 1, .burst = 3}}; }

  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    const auto answer = endpoint_.Post(RenderSlack(notification), {}, std::move(stop));
    if (const auto* outcome = std::get_if<DeliveryOutcome>(&answer)) return *outcome;
    const HttpResponse& response = std::get<HttpResponse>(answer);
    const std::string_view word = Trimmed(response.body);
    if (IsAmong(word, kPermanentErrors)) {
      return endpoint_.Outcome(DeliveryResult::kPermanent, response);
    }
    if (IsAmong(word, kTemporaryErrors)) return endpoint_.Outcome(DeliveryResult::kRetry, response);
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
