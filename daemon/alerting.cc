#include "daemon/alerting.h"

#include <algorithm>

#include "alerts/lifecycle.h"
#include "alerts/notify.h"
#include "alerts/rules.h"

namespace couplingd {
namespace {

Result<std::vector<WatchedRun>> WatchedRuns(HistoryReader& history, const Config& config) {
  std::vector<WatchedRun> watched;
  for (const RunConfig& run_config : config.runs) {
    const std::optional<Run> run = TRY(history.FindRun(run_config.name));
    if (!run) continue;
    HistoryFilter filter;
    filter.run = run->name;
    filter.generation = 0;  // an alert about a checkpoint of an earlier generation has to end, too
    WatchedRun seen;
    seen.name = run->name;
    seen.family = run->family;
    seen.generation = run->generation;
    seen.alive = !TRY(history.Value("ended:" + run->name));
    seen.overdue_after = run_config.overdue_after;
    seen.checkpoints = TRY(history.Checkpoints(filter));
    watched.push_back(std::move(seen));
  }
  return watched;
}

void SetLargest(std::map<std::string, double>& largest, const std::string& key,
                const std::optional<double>& value) {
  if (!value) return;
  double& entry = largest[key];
  entry = std::max(entry, *value);
}

Result<RuleInputs> GatherInputs(HistoryReader& history, const Config& config, const Clock& clock) {
  RuleInputs inputs;
  inputs.now = clock.Now();
  inputs.runs = TRY(WatchedRuns(history, config));
  inputs.axes = config.axes;
  inputs.bounds = config.coupling.bounds;
  inputs.couplings = TRY(history.Couplings({}));
  inputs.looks = TRY(history.Looks());
  inputs.forecasts = TRY(history.Forecasts({}));
  for (const Run& run : TRY(history.Runs())) {
    SetLargest(inputs.largest_parameters, run.family, run.parameters);
  }
  for (const WatchedRun& run : inputs.runs) {
    for (const Checkpoint& checkpoint : run.checkpoints) {
      SetLargest(inputs.latest_tokens, run.name, checkpoint.tokens);
    }
  }
  return inputs;
}

}  // namespace

Status RaiseAlerts(HistoryWriter& history, const Config& config, const Clock& clock,
                   const Advice& advice) {
  RuleInputs inputs = TRY(GatherInputs(history.reader(), config, clock));
  const auto advise = [&](const auto& subject) {
    const auto found =
        advice.find({subject.run.empty() ? subject.family : subject.run, subject.axes});
    return found == advice.end() ? std::vector<Intervention>() : found->second;
  };
  inputs.advise_coupling = advise;
  inputs.advise_forecast = advise;
  const std::vector<Finding> findings = EvaluateRules(config.rules, inputs);
  const std::vector<Alert> known = TRY(history.reader().Alerts({}));
  return history.Transaction([&]() -> Status {
    for (const Alert& alert : AlertTransitions(known, findings, ScopeOf(config), clock.Now())) {
      TRY(history.SaveAlert(alert));
    }
    return NotifySinks(history, config, clock.Now());
  });
}

}  // namespace couplingd
