// Rules: pure functions from what is known now to findings. A finding is tri-state: active (the
// rule holds), inactive (positive evidence that it does not), or absent, which is "unknown" and
// changes nothing: an undetermined coupling neither raises an alert nor ends one.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "records/alert.h"
#include "records/coupling.h"
#include "records/run.h"
#include "records/score_evidence.h"

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

// What a sink has taken and what it has not.
struct SinkHealth {
  std::string name;
  UnixMillis oldest_pending_at = 0;  // when what waits longest came into the outbox; 0: none waits
  int pending = 0;
  int dead = 0;                      // given up since the last one that was delivered
  UnixMillis last_delivered_at = 0;  // 0: never
  std::string last_outcome;          // of the newest that was not delivered, else of the newest
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
  ScoreEvidence scores;
  std::vector<SinkHealth> sinks;  // of the configuration
  // What might be done, where the caller has advice; both may be empty.
  std::function<std::vector<Intervention>(const CouplingEstimate&)> advise_coupling;
  std::function<std::vector<Intervention>(const Forecast&)> advise_forecast;
  std::function<std::vector<Intervention>(const AxisStanding&)> advise_axes;
};

// All findings of all rules, in the order of the rules, those of active ones with the rule's own
// labels and texts. A rule of a kind that is not in RuleKinds() finds nothing; the configuration
// refuses it. Where two findings have the same rule, run and
// subject, the active one counts.
std::vector<Finding> EvaluateRules(const std::vector<RuleConfig>& rules, const RuleInputs& inputs);

// The kinds that EvaluateRules knows.
std::vector<std::string_view> RuleKinds();

// The scores ("arc_easy.acc") that a rule is about: its own metrics, else those of its axis pairs.
std::vector<std::string> RuleMetrics(const RuleConfig& rule, const std::vector<AxisPair>& axes);

// The subjects that a rule can find anything about, where the configuration lists them; empty where
// history does (checkpoints, couplings).
std::set<std::string> RuleSubjects(const RuleConfig& rule, const Config& config);

// Checkpoints in a row that a rule asks for before it fires, and before it resolves.
int RuleHold(const RuleConfig& rule);

// Whether the rule's filter lets a run, or a family as a whole (`run` is its name too), pass.
bool WatchesRun(const RuleConfig& rule, const std::string& run, const std::string& family);

// The text by which estimates and forecasts name an axis pair:
// "hellaswag.acc_norm,truthfulqa_mc2.acc".
std::string AxesText(const AxisPair& axes);

}  // namespace couplingd
