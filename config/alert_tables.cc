#include "config/alert_tables.h"

#include "config/notify_tables.h"
#include "records/annotation.h"

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
                      "sign_change: the probability of the crossing.", 0.5, 1)
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
