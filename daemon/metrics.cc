#include "daemon/metrics.h"

#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <set>

namespace couplingd {
namespace {

using prometheus::BuildGauge;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Registry;

Family<Gauge>& GaugeFamily(Registry& registry, const std::string& name, const std::string& help) {
  return BuildGauge().Name("couplingd_" + name).Help(help).Register(registry);
}

Status AddCheckpoints(Registry& registry, HistoryReader& history, const Config& config) {
  auto& checkpoints =
      GaugeFamily(registry, "checkpoints", "Checkpoints of the live generation by state.");
  auto& last = GaugeFamily(registry, "last_checkpoint_timestamp_seconds",
                           "When the newest checkpoint was seen.");
  double queued = 0;
  for (const RunConfig& run : config.runs) {
    HistoryFilter filter;
    filter.run = run.name;
    std::map<std::string, double> counts;
    UnixMillis newest = 0;
    for (const Checkpoint& checkpoint : TRY(history.Checkpoints(filter))) {
      ++counts[std::string(ToString(checkpoint.state))];
      newest = std::max(newest, checkpoint.discovered_at);
    }
    for (const auto& [state, count] : counts) {
      checkpoints.Add({{"run", run.name}, {"state", state}}).Set(count);
    }
    queued += counts["queued"];
    if (newest > 0) last.Add({{"run", run.name}}).Set(static_cast<double>(newest) / 1000);
  }
  GaugeFamily(registry, "queue_depth", "Checkpoints that wait for an evaluation.")
      .Add({})
      .Set(queued);
  return {};
}

Status AddScores(Registry& registry, HistoryReader& history, const std::set<std::string>& runs) {
  auto& values = GaugeFamily(registry, "eval_score_ratio", "Newest score of a task's metric.");
  auto& errors =
      GaugeFamily(registry, "eval_score_stderr_ratio", "Standard error of the newest score.");
  std::map<std::string, ScoreRow> newest;
  for (const ScoreRow& row : TRY(history.Scores({}))) {
    if (!runs.contains(row.run)) continue;
    newest.insert_or_assign(row.run + "\n" + row.score.task + "\n" + row.score.metric, row);
  }
  for (const auto& [key, row] : newest) {
    const prometheus::Labels labels = {
        {"run", row.run}, {"task", row.score.task}, {"metric", row.score.metric}};
    values.Add(labels).Set(row.score.value);
    if (row.score.stderr_value) errors.Add(labels).Set(*row.score.stderr_value);
  }
  return {};
}

Status AddCouplings(Registry& registry, HistoryReader& history, const std::set<std::string>& runs) {
  auto& gamma =
      GaugeFamily(registry, "coupling_gamma12", "Newest coupling of an axis pair over steps.");
  auto& low = GaugeFamily(registry, "coupling_gamma12_ci_low", "Lower end of its interval.");
  auto& high = GaugeFamily(registry, "coupling_gamma12_ci_high", "Upper end of its interval.");
  std::map<std::string, CouplingEstimate> newest;
  for (const CouplingEstimate& estimate : TRY(history.Couplings({}))) {
    if (!runs.contains(estimate.run) || !estimate.gamma) continue;
    newest.insert_or_assign(estimate.run + "\n" + estimate.axes, estimate);
  }
  for (const auto& [key, estimate] : newest) {
    const prometheus::Labels labels = {{"run", estimate.run}, {"axis", estimate.axes}};
    gamma.Add(labels).Set(*estimate.gamma);
    if (estimate.low) low.Add(labels).Set(*estimate.low);
    if (estimate.high) high.Add(labels).Set(*estimate.high);
  }
  return {};
}

Status AddDeliveries(Registry& registry, HistoryReader& history) {
  auto& deliveries = GaugeFamily(registry, "deliveries", "Rows of the outbox by sink and state.");
  auto& firing = GaugeFamily(registry, "alerts_firing", "Alerts that fire now, by severity.");
  std::map<std::pair<std::string, std::string>, double> counts;
  for (const Delivery& delivery : TRY(history.Deliveries("")))
    ++counts[{delivery.sink, delivery.state}];
  for (const auto& [key, count] : counts) {
    deliveries.Add({{"sink", key.first}, {"state", key.second}}).Set(count);
  }
  std::map<std::string, double> severities = {{"info", 0}, {"warning", 0}, {"critical", 0}};
  for (const Alert& alert : TRY(history.Alerts({}))) {
    if (alert.state == AlertState::kFiring)
      ++severities[std::string(ToString(alert.finding.severity))];
  }
  for (const auto& [severity, count] : severities) firing.Add({{"severity", severity}}).Set(count);
  return {};
}

}  // namespace

Result<std::string> MetricsText(HistoryReader& history, const Config& config,
                                const LiveNumbers& live) {
  Registry registry;
  std::set<std::string> runs;
  for (const RunConfig& run : config.runs) runs.insert(run.name);
  GaugeFamily(registry, "build_info", "The running version.")
      .Add({{"version", COUPLINGD_VERSION}})
      .Set(1);
  GaugeFamily(registry, "ready", "1 where the daemon does its work.")
      .Add({})
      .Set(live.ready ? 1 : 0);
  GaugeFamily(registry, "evaluations_running", "Evaluations under way.")
      .Add({})
      .Set(static_cast<double>(live.evaluating));
  TRY(AddCheckpoints(registry, history, config));
  TRY(AddScores(registry, history, runs));
  TRY(AddCouplings(registry, history, runs));
  TRY(AddDeliveries(registry, history));
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

}  // namespace couplingd
