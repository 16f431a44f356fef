// The digest of declared false-alarm rates: what all decisions of a deployment may have cost so
// far.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"

namespace couplingd {

// Of one phase or score_regression rule, over the configured runs, all generations, and their
// families, for every axis pair or metric.
struct FalseAlarmBudget {
  std::string rule;
  double rate = 0;  // declared, per 1,000 looks at one run or family and axis pair or metric
  std::int64_t series = 0;  // run generations, families and axis pairs or metrics that it looked at
  std::int64_t estimates = 0;  // looks taken
  double expected = 0;         // false alarms to expect at most, SpentRate over all of them
};

// One entry per such rule, in the order of the configuration.
Result<std::vector<FalseAlarmBudget>> FalseAlarmBudgets(HistoryReader& history,
                                                        const Config& config);

// Object {expected, rules: [{rule, rate, series, estimates, expected}]}.
void WriteFalseAlarms(JsonWriter& json, const std::vector<FalseAlarmBudget>& budgets);

}  // namespace couplingd
