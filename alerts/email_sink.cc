// Mail by SMTP. One incident is one thread; the server's last word decides what became of it.
#include <fmt/format.h>

#include <algorithm>

#include "alerts/endpoint.h"
#include "alerts/mail_message.h"
#include "base/mail.h"

namespace couplingd {
namespace {

class EmailSink final : public Sink {
 public:
  EmailSink(const SinkConfig& config, const SinkServices& services, Secret url, UrlParts parts)
      : config_(config),
        services_(services),
        url_(std::move(url)),
        parts_(std::move(parts)),
        redactor_(Secrets()) {}

  const std::string& Name() const override { return config_.name; }
  SinkTraits Traits() const override {
    return {.pace = {.per_second = 1, .burst = 5}, .most_alerts = kMostTold, .takes_charts = true};
  }

  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    Result<std::vector<std::string>> addresses =
        AllowedAddresses(parts_, config_.allow_private, services_.resolve);
    if (!addresses) return NoAnswer(addresses.error());
    Mail mail = RenderMail(notification, config_.from, config_.to, services_.clock.Now());
    MailRequest request;
    request.url = url_;
    // What does not leave this machine needs no encryption, and local servers rarely have it.
    request.without_tls = parts_.scheme == "smtp" && std::ranges::all_of(*addresses, IsLoopback);
    request.from = config_.from;
    request.to = config_.to;
    request.message = std::move(mail.message);
    request.timeout = config_.timeout;
    request.ca_file = config_.ca_file;
    request.addresses = std::move(*addresses);
    request.stop = std::move(stop);
    const Result<MailAnswer> answer = SendMail(request);
    if (!answer) return NoAnswer(answer.error());
    DeliveryOutcome outcome = OutcomeOf(*answer);
    if (outcome.result == DeliveryResult::kDelivered) outcome.receipt = std::move(mail.thread);
    return outcome;
  }

 private:
  std::vector<Secret> Secrets() const {
    std::vector<Secret> secrets = TravellingForms(parts_);
    secrets.push_back(url_);
    return secrets;
  }

  DeliveryOutcome OutcomeOf(const MailAnswer& answer) const {
    DeliveryOutcome outcome;
    if (answer.taken) {
      outcome.result = DeliveryResult::kDelivered;
    } else if (answer.code >= 500) {
      outcome.result = DeliveryResult::kPermanent;
    }
    const std::string reply = redactor_.Clean(answer.text);
    outcome.text = reply.empty() ? fmt::format("SMTP {}", answer.code) : "SMTP " + reply;
    return outcome;
  }

  const SinkConfig config_;
  const SinkServices services_;
  const Secret url_;
  const UrlParts parts_;
  const Redactor redactor_;
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeEmailSink(const SinkConfig& config,
                                            const SinkServices& services) {
  if (config.from.empty() || config.to.empty()) {
    return Fail(ErrorKind::kInvalidData, "mail needs from and to");
  }
  Secret url = TRY(ReadSecret(config.url_file));
  Result<UrlParts> parts = ParseUrl(url);
  if (!parts) return std::unexpected(parts.error().Within(config.url_file));
  const Status allowed = CheckUrl(*parts, config.allow_private, {"smtps", "smtp"});
  if (!allowed) return std::unexpected(allowed.error().Within(config.url_file));
  return std::make_unique<EmailSink>(config, services, std::move(url), std::move(*parts));
}

}  // namespace couplingd
