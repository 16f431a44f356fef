// Prints the Slack messages that docs/pictures/make draws, as JSON: the payloads that the sinks
// send, of alerts that the rules raise from made-up estimates and checkpoints.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "alerts/lifecycle.h"
#include "alerts/rules.h"
#include "alerts/slack_message.h"
#include "base/hash.h"
#include "base/json.h"
#include "coupling/interventions.h"

namespace couplingd {
namespace {

constexpr UnixMillis kNow = 1795662840000;  // 2026-11-26 03:14 UTC
constexpr char kAxes[] = "hellaswag.acc_norm,truthfulqa_mc2.acc";

CouplingEstimate Estimate(double step, double gamma, double low, double high, double p_in,
                          double p_out) {
  CouplingEstimate estimate{.family = "web", .run = "web-1b", .axes = kAxes, .at = step};
  estimate.tokens = step * 2097152;
  estimate.gamma = gamma;
  estimate.low = low;
  estimate.high = high;
  estimate.phase = high < -0.1 ? Phase::kTax : low > 0.1 ? Phase::kBonus : Phase::kTransition;
  estimate.evidence = PhaseEvidence{.reasoning_rises = 1e-9,
                                    .below_tax = p_in,
                                    .above_tax = p_out,
                                    .below_bonus = p_in,
                                    .above_bonus = p_out};
  estimate.method = "york+item-bootstrap";
  estimate.n = 8;
  return estimate;
}

RuleInputs InputsOf(const std::string& run, const std::string& family) {
  RuleInputs inputs;
  inputs.now = kNow;
  inputs.runs = {{.name = run, .family = family}};
  inputs.axes = {{"default", {"hellaswag", "acc_norm"}, {"truthfulqa_mc2", "acc"}}};
  inputs.advise_coupling = [](const CouplingEstimate& estimate) {
    InterventionContext context{.parameters = 1.1e9, .d_model = 2048};
    context.diagnostics.reasoning = {.change = 0.061, .standard_error = 0.007};
    context.diagnostics.truthfulness = {.change = -0.022, .standard_error = 0.006};
    context.peers = {{.run = "curated-1b",
                      .family = "curated",
                      .gamma = 0.31,
                      .low = 0.12,
                      .high = 0.52,
                      .tokens = 1.05e10}};
    return SuggestInterventions(estimate, std::nullopt, context);
  };
  return inputs;
}

Alert AlertOf(Finding finding, UnixMillis starts_at) {
  Alert alert;
  alert.key = AlertKey(finding.rule, finding.run, finding.subject);
  alert.sequence = 1;
  alert.starts_at = starts_at;
  alert.finding = std::move(finding);
  return alert;
}

RuleConfig TaxRule() {
  return {.name = "tax",
          .kind = "phase",
          .severity = Severity::kWarning,
          .runbook = "https://wiki.example/couplingd/tax"};
}

std::vector<Finding> TaxFindings(const CouplingEstimate& newest) {
  RuleInputs inputs = InputsOf("web-1b", "web");
  inputs.couplings = {newest};
  return EvaluateRules({TaxRule()}, inputs);
}

Notification Told(std::vector<Alert> alerts) {
  Notification notification;
  for (Alert& alert : alerts) {
    AlertNews& news = notification.news.emplace_back();
    news.told_firing = alert.state == AlertState::kResolved;
    news.alert = std::move(alert);
  }
  notification.delivery_id = HashHex(notification.news.front().alert.key + "/team-slack");
  return notification;
}

Alert Firing() {
  return AlertOf(TaxFindings(Estimate(5000, -0.36, -0.52, -0.21, 3.1e-7, 1)).front(), kNow);
}

Alert Resolved() {
  Alert alert = Firing();
  alert.sequence = 2;
  alert.state = AlertState::kResolved;
  alert.ends_at = kNow + 6 * 3600 * 1000 + 20 * 60 * 1000;
  alert.resolution = TaxFindings(Estimate(6500, 0.24, 0.11, 0.41, 1, 4e-7)).front().summary;
  alert.finding.active = false;
  return alert;
}

Notification BadCheckpoints() {
  RuleInputs inputs = InputsOf("web-3b", "web");
  const std::pair<int, const char*> bad[] = {
      {11500,
       "model-00002-of-00003.safetensors: tensor model.layers.17.mlp.up_proj.weight holds "
       "131,072 NaN"},
      {12000,
       "model.safetensors.index.json names model-00003-of-00003.safetensors, which is not "
       "there"},
      {12500,
       "model-00001-of-00003.safetensors ends at byte 2,147,483,648, its header says "
       "4,976,698,672"}};
  for (const auto& [step, reason] : bad) {
    Checkpoint checkpoint;
    checkpoint.path = fmt::format("/ckpt/web-3b/checkpoint-{}", step);
    checkpoint.step = step;
    checkpoint.state = CheckpointState::kRefused;
    checkpoint.reason = reason;
    inputs.runs[0].checkpoints.push_back(checkpoint);
  }
  std::vector<Alert> alerts;
  for (Finding& finding : EvaluateRules(
           {{.name = "bad_checkpoint", .kind = "bad_checkpoint", .severity = Severity::kCritical}},
           inputs)) {
    alerts.push_back(AlertOf(std::move(finding), kNow - 60000 * static_cast<int>(alerts.size())));
  }
  return Told(std::move(alerts));
}

// A file system that went away: 38 runs at once.
Notification Storm() {
  std::vector<Alert> alerts;
  for (int run = 0; run < 38; ++run) {
    const std::string name = fmt::format("sweep-{:02}", run);
    RuleInputs inputs = InputsOf(name, "sweep");
    for (int i = 0; i < 3 + run % 4; ++i) {
      Checkpoint checkpoint;
      checkpoint.step = 500 * (i + 1);
      checkpoint.path = fmt::format("/ckpt/{}/checkpoint-{}", name, checkpoint.step);
      checkpoint.state = CheckpointState::kRefused;
      checkpoint.reason = "config.json: Stale file handle";
      inputs.runs[0].checkpoints.push_back(checkpoint);
    }
    for (Finding& finding : EvaluateRules(
             {{.name = "bad_checkpoint", .kind = "bad_checkpoint", .severity = Severity::kWarning}},
             inputs)) {
      alerts.push_back(AlertOf(std::move(finding), kNow + run * 1000));
    }
  }
  alerts.push_back(Firing());
  Notification storm = Told(std::move(alerts));
  storm.is_digest = true;
  return storm;
}

void Print(JsonWriter& json, const char* name, const std::vector<SlackMessage>& messages) {
  json.Key(name).BeginArray();
  for (const SlackMessage& message : messages) json.Value("{" + message.Members() + "}");
  json.EndArray();
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  using namespace couplingd;
  CLI::App app("Slack messages of example alerts, as JSON: name to payloads, in texts");
  CLI11_PARSE(app, argc, argv);
  JsonWriter json;
  json.BeginObject();
  const Notification resolved = Told({Resolved()});
  Print(json, "firing", {SlackMessageOf(Told({Firing()}))});
  Print(json, "resolved", {SlackMessageOf(resolved), SlackReplyOf(resolved)});
  Print(json, "group", {SlackMessageOf(BadCheckpoints())});
  Print(json, "digest", {SlackMessageOf(Storm())});
  json.EndObject();
  std::puts(json.Text().c_str());
  return 0;
}
