#include "config/alert_tables.h"

#include "config/notify_tables.h"
#include "records/annotation.h"

namespace couplingd {
namespace {

Complaint IsWebLink(const std::string& text) {
  if (text.empty() || text.starts_with("https://") || text.starts_with("http://")) return {};
  return {{"is not a link", "begin it with https://"}};
}

// One address without a name: no blanks, nothing that could end a header or begin another address.
Complaint IsMailAddress(const std::string& text) {
  const std::size_t at = text.rfind('@');
  const bool plain = std::ranges::all_of(text, [](unsigned char c) {
    return c > 0x20 && c < 0x7f &&
           std::string_view("<>()[],;:\\\"").find(static_cast<char>(c)) == std::string_view::npos;
  });
  if (plain && at != std::string::npos && at > 0 && at + 1 < text.size() && text.find('@') == at) {
    return {};
  }
  return {{"is not a mail address", "write it alone, as in oncall@example.org"}};
}

// Names that alerts carry by themselves.
constexpr std::string_view kOwnLabels[] = {
    "alertname", "severity", "run",   "family",     "instance", "axes", "over",        "phase",
    "quantity",  "metric",   "cause", "checkpoint", "sink",     "rule", "runbook_url", "kind"};

Complaint IsLabelName(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) ||
      !std::ranges::all_of(name, fits)) {
    return {{"is no name of a label", "letters, digits and _ only, and no digit first"}};
  }
  if (std::ranges::find(kOwnLabels, name) != std::end(kOwnLabels)) {
    return {{"every alert says this by itself", "choose another name"}};
  }
  return {};
}

// Texts by name: labels: {team: evals}.
Key<RuleConfig> LabelsKey(std::string_view name,
                          std::map<std::string, std::string> RuleConfig::*member,
                          std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .read =
              [member](const YAML::Node& node, RuleConfig& into, const Scope& scope) {
                if (node.IsNull()) return;
                if (!node.IsMap()) return scope.Add("must be a mapping", "such as {team: evals}");
                for (const auto& entry : node) {
                  const std::string label = entry.first.IsScalar() ? entry.first.Scalar() : "?";
                  const Scope at = scope.At(label, LineOf(entry.first, scope.line));
                  if (const Complaint complaint = IsLabelName(label)) {
                    at.Add(complaint->first, complaint->second);
                  } else if (const auto value = ReadName(entry.second, at)) {
                    (into.*member)[label] = *value;
                  }
                }
              },
          .show =
              [member](const RuleConfig& rule) {
                std::vector<std::string> pairs;
                for (const auto& [label, value] : rule.*member) {
                  pairs.push_back(fmt::format("{}: {}", label, ShowText(value)));
                }
                return fmt::format("{{{}}}", fmt::join(pairs, ", "));
              }};
}

// A list of TASK.METRIC.
Key<RuleConfig> MetricsKey(std::string_view name, std::vector<std::string> RuleConfig::*member,
                           std::string_view doc) {
  return MakeKey(
      name, member, doc,
      [](const YAML::Node& node, const Scope& scope) {
        auto metrics = ReadTexts(node, scope);
        for (std::size_t i = 0; metrics && i < metrics->size(); ++i) {
          const std::string& metric = (*metrics)[i];
          if (TaskMetric::Parse(metric) && metric.find(',') == std::string::npos) continue;
          scope.Item(i, scope.line)
              .Add(fmt::format("\"{}\" is not TASK.METRIC", metric), "such as arc_easy.acc_norm");
        }
        return metrics;
      },
      ShowTexts);
}

Complaint HasKnownFields(const std::string& text) {
  const std::optional<std::string> unknown = UnknownField(text);
  if (!unknown) return {};
  return {{fmt::format("\"{{{}}}\" is no field", *unknown),
           fmt::format("there are {}", fmt::join(AnnotationFields(), ", "))}};
}

constexpr std::string_view kUrlAdvice =
    "an address is a secret: put it into a file of mode 0600 and write url_file: PATH, or "
    "url_file: credential:NAME";

}  // namespace

const Table<RuleConfig>& RuleTable() {
  static const Table<RuleConfig> table =
      {.keys =
           {NameKey("name", &RuleConfig::name, "Unique name of the rule.").Required(),
            ChoiceKey(
                "kind", &RuleConfig::kind,
                {"phase", "sign_change", "score_regression", "axis_spent", "dimension_collapse",
                 "evaluation_failing", "checkpoint_overdue", "bad_checkpoint", "queue_growing",
                 "sink_broken"},
                "phase: the coupling is in a phase; sign_change: its sign is forecast to change "
                "(N_c of a family, D_c of a run); score_regression: a score fell below what "
                "earlier "
                "checkpoints had; axis_spent: a benchmark has no signal left; dimension_collapse: "
                "all scores say the same; evaluation_failing; checkpoint_overdue; bad_checkpoint "
                "(refused or damaged weights); queue_growing; sink_broken.")
                .Required(),
            TextsKey("runs", &RuleConfig::runs,
                     "Names of the runs and families that the rule is about. None: all of them.")
                .OnlyFor({"phase", "sign_change", "score_regression", "axis_spent",
                          "dimension_collapse", "evaluation_failing", "checkpoint_overdue",
                          "bad_checkpoint"}),
            TextKey("axes", &RuleConfig::axes, "Name of an axis pair. Empty: all of them.")
                .OnlyFor({"phase", "sign_change", "score_regression", "axis_spent",
                          "dimension_collapse"}),
            MetricsKey("metrics", &RuleConfig::metrics,
                       "Scores as TASK.METRIC. None: those of the axes.")
                .OnlyFor({"score_regression", "dimension_collapse"}),
            ChoiceKey("phase", &RuleConfig::phase, {"tax", "transition", "bonus"},
                      "The phase whose being there is the alert.")
                .OnlyFor({"phase"}),
            NumberKey("false_alarm_rate", &RuleConfig::false_alarm_rate,
                      "False alarms to expect, at most, per 1,000 checkpoints of one run and axis "
                      "pair or metric: 0.01 is one in 100 runs so long. The same per 1,000 looks "
                      "at a family of at least 4 sizes, one whenever its sizes have further "
                      "tokens.",
                      1e-6, 1)
                .OnlyFor({"phase", "score_regression"}),
            NumberKey("margin", &RuleConfig::margin,
                      "Sigmas by which the evidence must pass what that rate asks, to fire and to "
                      "resolve (about 4 on either side of the bound as it is).",
                      0, 10)
                .OnlyFor({"phase", "score_regression"}),
            NumberKey("probability", &RuleConfig::probability,
                      "Probability of the crossing, of a sign_change.", 0.5, 1)
                .OnlyFor({"sign_change"}),
            IntegerKey(
                "hold", &RuleConfig::hold,
                "Checkpoints of a run in a row before it fires, and before it resolves. 0: 1 of a "
                "phase, 2 of a score_regression, 8 of an axis_spent.",
                0, 100)
                .OnlyFor({"phase", "score_regression", "axis_spent"}),
            NumberKey("min_drop", &RuleConfig::min_drop,
                      "A fall by no more than this is none: 0.01 is one point of an accuracy.", 0,
                      1e6)
                .OnlyFor({"score_regression"}),
            NumberKey("ceiling", &RuleConfig::ceiling,
                      "Score that nothing passes: 1, or what wrong labels leave of it.", 0, 1)
                .OnlyFor({"axis_spent"}),
            NumberKey("threshold", &RuleConfig::threshold,
                      "Fires where the effective dimension of the scores lies below it, with its "
                      "whole interval. 1 is one direction.",
                      1, 1000)
                .OnlyFor({"dimension_collapse"}),
            NumberKey("horizon", &RuleConfig::horizon,
                      "Fires if the crossing lies within this factor of the largest N or D seen.",
                      1, 1e6)
                .OnlyFor({"sign_change"}),
            IntegerKey("failures", &RuleConfig::failures, "Checkpoints put aside in a row.", 1,
                       1000)
                .OnlyFor({"evaluation_failing"}),
            DurationKey(
                "after", &RuleConfig::after,
                "Waiting time of the oldest queued checkpoint, or of the oldest alert a sink "
                "has not taken. 0s: three evaluations but at least 10m, and 5m.",
                std::chrono::milliseconds(0))
                .OnlyFor({"queue_growing", "sink_broken"}),
            EnumKey<RuleConfig, Severity>("severity", &RuleConfig::severity,
                                          {{"info", Severity::kInfo},
                                           {"warning", Severity::kWarning},
                                           {"critical", Severity::kCritical}},
                                          "info, warning or critical."),
            EnumKey<RuleConfig, Severity>(
                "nan_severity", &RuleConfig::nan_severity,
                {{"info", Severity::kInfo},
                 {"warning", Severity::kWarning},
                 {"critical", Severity::kCritical}},
                "The same where weights or logits are NaN or infinite: "
                "the training has diverged.")
                .OnlyFor({"bad_checkpoint"}),
            LabelsKey("labels", &RuleConfig::labels,
                      "Labels beside those that every alert has, such as {team: evals}."),
            TextKey(
                "summary", &RuleConfig::summary,
                "One line in place of the rule's own, such as \"{run} is in tax, γ = {gamma}\". "
                "docs/alerts.md lists the fields. Empty: the rule's own.",
                HasKnownFields),
            TextKey("note", &RuleConfig::note,
                    "Text after the description, with the same fields. Empty: none.",
                    HasKnownFields),
            DurationKey("hold_for", &RuleConfig::hold_for,
                        "It has to hold for so long before the alert fires.",
                        std::chrono::milliseconds(0)),
            TextKey("runbook", &RuleConfig::runbook, "Link that is shown with the alert.",
                    IsWebLink)},
       .kind = [](const RuleConfig& rule) { return rule.kind; }};
  return table;
}

namespace {

// What a kind of sink cannot do without.
struct Need {
  std::string_view kind;
  std::string_view key;
  bool (*has)(const SinkConfig& sink);
};

bool HasUrl(const SinkConfig& sink) { return !sink.url_file.empty(); }

constexpr Need kNeeds[] = {
    {"webhook", "url_file", HasUrl},
    {"slack", "url_file", HasUrl},
    {"slack_bot", "token_file", [](const SinkConfig& sink) { return !sink.token_file.empty(); }},
    {"slack_bot", "channel", [](const SinkConfig& sink) { return !sink.channel.empty(); }},
    {"alertmanager", "url_file", HasUrl},
    {"email", "url_file", HasUrl},
    {"email", "from", [](const SinkConfig& sink) { return !sink.from.empty(); }},
    {"email", "to", [](const SinkConfig& sink) { return !sink.to.empty(); }},
    {"command", "command", [](const SinkConfig& sink) { return !sink.command.empty(); }},
    {"file", "path", [](const SinkConfig& sink) { return !sink.path.empty(); }},
};

void CheckNeeds(const SinkConfig& sink, const Scope& scope) {
  for (const Need& need : kNeeds) {
    if (need.kind != sink.kind || need.has(sink)) continue;
    scope.Add(fmt::format("the key \"{}\" is missing", need.key),
              fmt::format("a sink of kind {} needs it", sink.kind));
  }
  for (const std::string& to : sink.to) {
    if (const Complaint complaint = IsMailAddress(to)) {
      scope.At("to", scope.line)
          .Add(fmt::format("\"{}\" {}", to, complaint->first), complaint->second);
    }
  }
}

const std::vector<std::string_view> kHttpKinds = {"webhook", "slack", "slack_bot", "alertmanager"};
const std::vector<std::string_view> kUrlKinds = {"webhook", "slack", "slack_bot", "alertmanager",
                                                 "email"};

}  // namespace

const Table<SinkConfig>& SinkTable() {
  static const Table<SinkConfig> table = {
      .keys =
          {NameKey("name", &SinkConfig::name, "Unique name of the sink.").Required(),
           ChoiceKey("kind", &SinkConfig::kind,
                     {"webhook", "slack", "slack_bot", "alertmanager", "email", "command", "file"},
                     "webhook: JSON to any address; slack: a Slack incoming webhook; slack_bot: a "
                     "Slack app, which keeps one thread for each alert and shows charts; "
                     "alertmanager: Prometheus Alertmanager; email: SMTP; command: a program; "
                     "file: JSON lines.")
               .Required(),
           SecretKey("url_file", &SinkConfig::url_file,
                     "File (mode 0600) whose first line is the address, or credential:NAME for "
                     "systemd's LoadCredential. Of an Alertmanager one replica a line; for email "
                     "smtps://USER:PASSWORD@HOST, or smtp:// with STARTTLS. Kind slack_bot may do "
                     "without: "
                     "that of Slack's API is known.")
               .OnlyFor(kUrlKinds),
           SecretKey("secret_file", &SinkConfig::secret_file,
                     "File (mode 0600) with the signing secret (whsec_…), or credential:NAME. "
                     "Empty: unsigned.")
               .OnlyFor({"webhook"}),
           SecretKey(
               "token_file", &SinkConfig::token_file,
               "File (mode 0600) with the app's bot token (xoxb-…) or, of an Alertmanager, the "
               "bearer token that is asked for, if any; or credential:NAME.")
               .OnlyFor({"slack_bot", "alertmanager"}),
           TextKey("channel", &SinkConfig::channel,
                   "The channel's ID (C0123456789) or name; the app has to be in it.")
               .OnlyFor({"slack_bot"}),
           TextKey("from", &SinkConfig::from, "Kind email: the address that mail comes from.",
                   IsMailAddress)
               .OnlyFor({"email"}),
           TextsKey("to", &SinkConfig::to, "Kind email: the addresses that it goes to.")
               .OnlyFor({"email"}),
           TextsKey(
               "command", &SinkConfig::command,
               "Kind command: program and arguments, run without a shell, with the webhook's JSON "
               "on its standard input.")
               .OnlyFor({"command"}),
           PathKey("path", &SinkConfig::path,
                   "Kind file: what a line of JSON is appended to for each message.")
               .OnlyFor({"file"}),
           PathKey("ca_file", &SinkConfig::ca_file,
                   "Certificates to trust instead of the system's. Empty: the system's.")
               .OnlyFor(kUrlKinds),
           SecretKey("proxy_file", &SinkConfig::proxy_file,
                     "File (mode 0600) with the address of an HTTP proxy, or credential:NAME. "
                     "Empty: none; the environment's proxies are never used.")
               .OnlyFor(kHttpKinds),
           DurationKey("timeout", &SinkConfig::timeout, "Longest time for one delivery.",
                       std::chrono::milliseconds(100)),
           FlagKey("allow_private", &SinkConfig::allow_private,
                   "The address may lead to loopback or private networks.")
               .OnlyFor(kUrlKinds),
           MatchersKey("match", &SinkConfig::match,
                       "Only alerts with such labels: label=value, !=, =~ (regex), !~. Labels "
                       "are alertname, severity, kind, run, family, axes, … Empty: all."),
           TextKey("fallback", &SinkConfig::fallback,
                   "Name of the sink that is told what this one could not be told."),
           FlagKey("standby", &SinkConfig::standby, "Is told only what it is the fallback for.")},
      .instead = {{"url", kUrlAdvice},
                  {"webhook_url", kUrlAdvice},
                  {"api_url", kUrlAdvice},
                  {"token",
                   "a token is a secret: put it into a file of mode 0600 and write token_file: "
                   "PATH, or token_file: credential:NAME"},
                  {"password", kUrlAdvice},
                  {"proxy", kUrlAdvice}},
      .kind = [](const SinkConfig& sink) { return sink.kind; },
      .check = CheckNeeds};
  return table;
}

const Table<HeartbeatConfig>& HeartbeatTable() {
  static const Table<HeartbeatConfig> table = {
      .keys = {SecretKey("url_file", &HeartbeatConfig::url_file,
                         "File (mode 0600) whose first line is that address, or credential:NAME. "
                         "Empty: no heartbeat."),
               DurationKey("interval", &HeartbeatConfig::interval,
                           "How often it is called. Let the other side wait for about three.",
                           std::chrono::seconds(1)),
               ChoiceKey("method", &HeartbeatConfig::method, {"POST", "GET"}, "POST or GET."),
               PathKey("ca_file", &HeartbeatConfig::ca_file,
                       "Certificates to trust instead of the system's. Empty: the system's."),
               SecretKey("proxy_file", &HeartbeatConfig::proxy_file,
                         "File (mode 0600) with the address of an HTTP proxy, or credential:NAME. "
                         "Empty: none."),
               DurationKey("timeout", &HeartbeatConfig::timeout, "Longest time for one call.",
                           std::chrono::milliseconds(100)),
               FlagKey("allow_private", &HeartbeatConfig::allow_private,
                       "The address may lead to loopback or private networks.")},
      .instead = {{"url", kUrlAdvice}}};
  return table;
}

}  // namespace couplingd
