#include "daemon/alerting.h"

#include "alerts/lifecycle.h"
#include "alerts/notify.h"
#include "alerts/rules.h"
#include "queries/rule_inputs.h"

namespace couplingd {

Status RaiseAlerts(HistoryWriter& history, const Config& config, const Clock& clock,
                   const Advice& advice, const EvidenceByFamily& evidence) {
  RuleInputs inputs = TRY(GatherRuleInputs(history.reader(), config, clock.Now()));
  for (const auto& [family, of_family] : evidence) AddScoreEvidence(inputs.scores, of_family);
  SetAdvice(inputs, advice);
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
