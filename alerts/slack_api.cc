#include "alerts/slack_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <variant>

#include "alerts/slack_errors.h"
#include "base/json.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr char kSlackApi[] = "https://slack.com/api/";
// Slack repeats the message in its answer, with what is not ASCII escaped.
constexpr std::size_t kMostOfAnAnswer = 256u << 10;

// The base must end in a slash, so that a method's name can follow.
Result<Secret> BaseOf(const SinkConfig& config) {
  if (config.url_file.empty()) return Secret(kSlackApi);
  const Secret url = TRY(ReadSecret(config.url_file));
  if (url.Reveal().find_first_of("?#") != std::string::npos) {
    return Fail(ErrorKind::kInvalidData,
                config.url_file + ": the address of the API has a query or a fragment",
                fmt::format("write one that a method's name can follow, as in {}", kSlackApi));
  }
  return url.Reveal().ends_with('/') ? url : Secret(url.Reveal() + "/");
}

std::string FormText(const SlackApi::Form& form) {
  std::string text;
  for (const auto& [name, value] : form) {
    text += fmt::format("{}{}=", text.empty() ? "" : "&", name);
    for (const unsigned char c : value) {
      const bool plain = std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
      text += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
    }
  }
  return text;
}

}  // namespace

std::string SlackAnswer::Text(const std::string& name) const {
  const auto found = texts.find(name);
  return found == texts.end() ? "" : found->second;
}

SlackApi::SlackApi(const SinkConfig& config, const SinkServices& services, Secret base,
                   Secret token)
    : config_(config),
      services_(services),
      base_(std::move(base)),
      token_(std::move(token)),
      redactor_({token_, base_}) {}

Result<SlackApi> SlackApi::Make(const SinkConfig& config, const SinkServices& services) {
  Secret base = TRY(BaseOf(config));
  Secret token = TRY(ReadSecret(config.token_file));
  const bool is_word =
      std::ranges::all_of(token.Reveal(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (token.empty() || !is_word) {
    return Fail(ErrorKind::kInvalidData, config.token_file + ": holds no token",
                "its first line is the app's bot token (xoxb-…)");
  }
  const Result<Endpoint> endpoint = Endpoint::At(base, config, services, {token});
  if (!endpoint) return std::unexpected(endpoint.error().Within(config.url_file));
  return SlackApi(config, services, std::move(base), std::move(token));
}

SlackAnswer SlackApi::Call(const std::string& method, const std::string& json,
                           const SlackDeadline& deadline) const {
  return Ask(method, json, "application/json; charset=utf-8", deadline);
}

SlackAnswer SlackApi::CallForm(const std::string& method, const Form& form,
                               const SlackDeadline& deadline) const {
  return Ask(method, FormText(form), "application/x-www-form-urlencoded", deadline);
}

SlackAnswer SlackApi::Ask(const std::string& method, const std::string& body,
                          const std::string& type, const SlackDeadline& deadline) const {
  const auto endpoint =
      Endpoint::At(Secret(base_.Reveal() + method), config_, services_, {token_, base_});
  if (!endpoint) return {{.result = DeliveryResult::kPermanent, .text = endpoint.error().Text()}};
  const auto answer = endpoint->Send(
      "POST", body, {{"content-type", type}, {"authorization", "Bearer " + token_.Reveal()}},
      deadline.stop, OptionsFor(deadline));
  if (const auto* none = std::get_if<DeliveryOutcome>(&answer)) {
    SlackAnswer failed{.outcome = *none};
    failed.outcome.text = fmt::format("{}: {}", method, none->text);
    return failed;
  }
  return Read(method, *endpoint, std::get<HttpResponse>(answer));
}

SlackAnswer SlackApi::Read(const std::string& method, const Endpoint& endpoint,
                           const HttpResponse& response) const {
  SlackAnswer answer;
  const auto parsed = ParseJson(response.body, "Slack's answer", {.max_depth = 32});
  const JsonValue* ok = parsed ? FindMember(*parsed, "ok") : nullptr;
  if (!ok || !ok->IsBool()) {  // something between us and Slack answered in its place
    answer.outcome = endpoint.ByStatus(response);
    if (answer.outcome.result == DeliveryResult::kDelivered) {
      answer.outcome.result = DeliveryResult::kRetry;
      answer.outcome.text += " (not an answer of Slack's)";
    }
    answer.outcome.text = fmt::format("{}: {}", method, answer.outcome.text);
    return answer;
  }
  for (const auto& member : parsed->GetObject()) {
    if (member.value.IsString()) answer.texts[member.name.GetString()] = member.value.GetString();
  }
  if (ok->IsTrue() && response.status == 200) {
    answer.outcome = {.result = DeliveryResult::kDelivered, .text = method + ": ok"};
    return answer;
  }
  answer.error = answer.Text("error");
  answer.outcome =
      endpoint.Outcome(SlackVerdict(answer.error).value_or(DeliveryResult::kRetry), response);
  answer.outcome.text = fmt::format("{}: {}", method,
                                    answer.error.empty() ? fmt::format("HTTP {}", response.status)
                                                         : redactor_.Clean(answer.error, 100));
  if (const std::string needed = answer.Text("needed"); !needed.empty()) {
    answer.outcome.text += fmt::format(" (needed: {})", redactor_.Clean(needed, 60));
  }
  if (const std::string_view advice = SlackAdvice(answer.error); !advice.empty()) {
    answer.outcome.text += fmt::format(" ({})", advice);
  }
  return answer;
}

DeliveryOutcome SlackApi::Upload(const std::string& url, const std::string& bytes,
                                 const SlackDeadline& deadline) const {
  const auto endpoint = Endpoint::At(Secret(url), config_, services_, {token_, base_});
  if (!endpoint) return {.result = DeliveryResult::kPermanent, .text = endpoint.error().Text()};
  // No token: the address itself is what allows the upload.
  const auto answer = endpoint->Send("POST", bytes, {{"content-type", "application/octet-stream"}},
                                     deadline.stop, OptionsFor(deadline));
  if (const auto* none = std::get_if<DeliveryOutcome>(&answer)) return *none;
  return endpoint->ByStatus(std::get<HttpResponse>(answer));
}

SendOptions SlackApi::OptionsFor(const SlackDeadline& deadline) const {
  const auto left =
      std::chrono::duration_cast<milliseconds>(deadline.at - services_.clock.Steady());
  return {.timeout = std::max(left, milliseconds(1)), .max_response_bytes = kMostOfAnAnswer};
}

}  // namespace couplingd
