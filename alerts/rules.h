// Rules: pure functions from what is known now to findings. A finding is tri-state: active (the
// rule holds), inactive (positive evidence that it does not), or absent, which is "unknown" and
// changes nothing: an undetermined coupling neither raises an alert nor ends one.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "records/alert.h"
#include "records/coupling.h"
#include "records/run.h"

namespace couplingd {

// A run as rules see it. Rules look only at runs that are listed, and at their families.
struct WatchedRun {
  std::string name;
  std::string family;
  int generation = 1;  // the live one; checkpoints and estimates of others are ignored
  // The training job is believed to go on: it has not said that it ended and has not reached its
  // last step. False is taken as evidence that no checkpoint is due.
  bool alive = true;
  std::chrono::milliseconds overdue_after{0};  // 0: learned from the run's own pace
  // In any order. The states carry the cause: kRefused is the checkpoint's own fault (damaged, NaN
  // weights, outside what can be evaluated: errors of kind kInvalidData and kUnsupported), kFailed
  // is the evaluation's.
  std::vector<Checkpoint> checkpoints;
};

struct RuleInputs {
  UnixMillis now = 0;
  std::vector<WatchedRun> runs;
  std::vector<AxisPair> axes;  // of the configuration; others are ignored
  PhaseBounds bounds;
  std::vector<CouplingEstimate>
      couplings;                    // the newest per (run or family, generation, axes, over, at)
  std::vector<LookCount> looks;     // at the couplings so far; 1 where there is none
  std::vector<Forecast> forecasts;  // the newest per (run or family, axes, quantity, method)
  std::map<std::string, double> largest_parameters;  // N by family
  std::map<std::string, double> latest_tokens;       // D by run
  // What might be done, where the caller has advice; both may be empty.
  std::function<std::vector<Intervention>(const CouplingEstimate&)> advise_coupling;
  std::function<std::vector<Intervention>(const Forecast&)> advise_forecast;
};

// All findings of all rules, in the order of the rules. A rule of a kind that is not in RuleKinds()
// finds nothing; the configuration refuses it. Where two findings have the same rule, run and
// subject, the active one counts.
std::vector<Finding> EvaluateRules(const std::vector<RuleConfig>& rules, const RuleInputs& inputs);

// The kinds that EvaluateRules knows.
std::vector<std::string_view> RuleKinds();

// The text by which estimates and forecasts name an axis pair:
// "hellaswag.acc_norm,truthfulqa_mc2.acc".
std::string AxesText(const AxisPair& axes);

}  // namespace couplingd
