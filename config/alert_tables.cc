#include "config/alert_tables.h"

#include "config/notify_tables.h"

namespace couplingd {
namespace {

Complaint IsWebLink(const std::string& text) {
  if (text.empty() || text.starts_with("https://") || text.starts_with("http://")) return {};
  return {{"is not a link", "begin it with https://"}};
}

void CheckSink(const SinkConfig& sink, const Scope& scope) {
  const auto needs = [&](const std::string& value, std::string_view key, std::string_view example) {
    if (!value.empty()) return;
    scope.Add(fmt::format("the key \"{}\" is missing", key),
              fmt::format("kind {} needs it, as in {}: {}", sink.kind, key, example));
  };
  if (sink.kind == "slack_bot") {
    needs(sink.token_file, "token_file", "/etc/couplingd/slack-token");
    needs(sink.channel, "channel", "C0123456789");
  } else if (!sink.kind.empty()) {
    needs(sink.url_file, "url_file", "/etc/couplingd/url");
  }
}

constexpr std::string_view kUrlAdvice =
    "an address is a secret: put it into a file of mode 0600 and write url_file: PATH, or "
    "url_file: credential:NAME";

}  // namespace

const Table<RuleConfig>& RuleTable() {
  static const Table<RuleConfig> table = {
      .keys =
          {NameKey("name", &RuleConfig::name, "Unique name of the rule.").Required(),
           ChoiceKey(
               "kind", &RuleConfig::kind,
               {"phase", "sign_change", "evaluation_failing", "checkpoint_overdue",
                "bad_checkpoint"},
               "phase: the coupling is in a phase; sign_change: its sign is forecast to change "
               "(N_c "
               "of a family, D_c of a run); evaluation_failing; checkpoint_overdue; bad_checkpoint "
               "(refused or damaged weights).")
               .Required(),
           TextKey("axes", &RuleConfig::axes, "Name of an axis pair. Empty: all of them.")
               .OnlyFor({"phase", "sign_change"}),
           ChoiceKey("phase", &RuleConfig::phase, {"tax", "transition", "bonus"},
                     "The phase whose being there is the alert.")
               .OnlyFor({"phase"}),
           NumberKey("false_alarm_rate", &RuleConfig::false_alarm_rate,
                     "phase: false alarms to expect, at most, per 1,000 checkpoints of one run and "
                     "axis pair: 0.01 is one in 100 runs so long. The same per 1,000 looks at a "
                     "family of at least 4 sizes, one whenever its sizes have further tokens.",
                     1e-6, 1)
               .OnlyFor({"phase"}),
           NumberKey("margin", &RuleConfig::margin,
                     "Sigmas by which the evidence must pass what that rate asks, to fire and to "
                     "resolve (about 4 on either side of the bound as it is).",
                     0, 10)
               .OnlyFor({"phase"}),
           NumberKey("probability", &RuleConfig::probability,
                     "sign_change: the probability of the crossing.", 0.5, 1)
               .OnlyFor({"sign_change"}),
           IntegerKey("hold", &RuleConfig::hold,
                      "Checkpoints of a run in a row before it fires, and before it resolves.", 1,
                      100)
               .OnlyFor({"phase"}),
           NumberKey("horizon", &RuleConfig::horizon,
                     "Fires if the crossing lies within this factor of the largest N or D seen.", 1,
                     1e6)
               .OnlyFor({"sign_change"}),
           IntegerKey("failures", &RuleConfig::failures, "Checkpoints put aside in a row.", 1, 1000)
               .OnlyFor({"evaluation_failing"}),
           EnumKey<RuleConfig, Severity>("severity", &RuleConfig::severity,
                                         {{"info", Severity::kInfo},
                                          {"warning", Severity::kWarning},
                                          {"critical", Severity::kCritical}},
                                         "info, warning or critical."),
           DurationKey("hold_for", &RuleConfig::hold_for,
                       "It has to hold for so long before the alert fires.",
                       std::chrono::milliseconds(0)),
           TextKey("runbook", &RuleConfig::runbook, "Link that is shown with the alert.",
                   IsWebLink)},
      .kind = [](const RuleConfig& rule) { return rule.kind; }};
  return table;
}

const Table<SinkConfig>& SinkTable() {
  static const Table<SinkConfig> table = {
      .keys = {NameKey("name", &SinkConfig::name, "Unique name of the sink.").Required(),
               ChoiceKey("kind", &SinkConfig::kind, {"webhook", "slack", "slack_bot"},
                         "webhook: JSON to any address; slack: a Slack incoming webhook; "
                         "slack_bot: a Slack app, which keeps one thread for each alert and shows "
                         "charts.")
                   .Required(),
               SecretKey("url_file", &SinkConfig::url_file,
                         "File (mode 0600) whose first line is the address, or credential:NAME for "
                         "systemd's LoadCredential. Kind slack_bot may do without: that of Slack's "
                         "API is known."),
               SecretKey("secret_file", &SinkConfig::secret_file,
                         "Kind webhook: file (mode 0600) with the signing secret (whsec_…), or "
                         "credential:NAME. Empty: unsigned.")
                   .OnlyFor({"webhook"}),
               SecretKey("token_file", &SinkConfig::token_file,
                         "File (mode 0600) with the app's bot token (xoxb-…), or credential:NAME.")
                   .OnlyFor({"slack_bot"}),
               TextKey("channel", &SinkConfig::channel,
                       "The channel's ID (C0123456789) or name; the app has to be in it.")
                   .OnlyFor({"slack_bot"}),
               PathKey("ca_file", &SinkConfig::ca_file,
                       "Certificates to trust instead of the system's. Empty: the system's."),
               DurationKey("timeout", &SinkConfig::timeout, "Longest time for one delivery.",
                           std::chrono::milliseconds(100)),
               FlagKey("allow_private", &SinkConfig::allow_private,
                       "The address may lead to loopback or private networks."),
               MatchersKey("match", &SinkConfig::match,
                           "Only alerts with such labels: label=value, !=, =~ (regex), !~. Labels "
                           "are alertname, severity, kind, run, family, axes, … Empty: all."),
               TextKey("fallback", &SinkConfig::fallback,
                       "Name of the sink that is told what this one could not be told."),
               FlagKey("standby", &SinkConfig::standby,
                       "Is told only what it is the fallback for.")},
      .instead = {{"url", kUrlAdvice},
                  {"webhook_url", kUrlAdvice},
                  {"api_url", kUrlAdvice},
                  {"token",
                   "a token is a secret: put it into a file of mode 0600 and write token_file: "
                   "PATH, or token_file: credential:NAME"},
                  {"password", kUrlAdvice}},
      .kind = [](const SinkConfig& sink) { return sink.kind; },
      .check = CheckSink};
  return table;
}

}  // namespace couplingd
