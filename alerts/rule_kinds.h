// The kinds of rules, one function each in its own file, and what they share. Internal to alerts/.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "alerts/rules.h"

namespace couplingd {

// Over the steps of a run: holds where at each of the newest `hold` estimates the evidence that
// reasoning improves and γ lies in the rule's phase passes LookLevel of the rule's false_alarm_rate
// by its margin; excluded where the evidence that γ lies outside does. The look is the number of
// estimates of the run generation that carry evidence. One estimate in a row without evidence
// leaves it open.
//
// Over the sizes of a family, which are too few for such levels and hold no rate: holds where the
// newest `hold` estimates are in the phase with the rule's probability of replicates. Excluded
// where they are all in another determined phase, have an interval that lies outside the rule's
// phase, or are out of it with that probability: an interval that is unbounded on the far side may
// still say so.
std::vector<Finding> EvaluatePhase(const RuleConfig& rule, const RuleInputs& inputs);

// Holds where most of the methods that gave a forecast see a crossing with the rule's probability,
// and see it within the rule's factor of the largest N (family) or latest D (run). Excluded where
// most are as sure of the opposite.
std::vector<Finding> EvaluateSignChange(const RuleConfig& rule, const RuleInputs& inputs);

// Holds where at each of the newest `hold` checkpoints the hypothesis that the score fell by no
// more than min_drop below the best earlier level is rejected at LookLevel of the rule's
// false_alarm_rate by its margin, Student's t, times the number of levels the best was chosen from
// (Boole). Excluded where each of them is back at that level, or surely within min_drop of it
// (95 %, one-sided): one that fired lies several standard errors from either.
std::vector<Finding> EvaluateScoreRegression(const RuleConfig& rule, const RuleInputs& inputs);

// Holds for an axis of a pair that at each of the newest `hold` checkpoints lies within noise of
// its ceiling, or within noise of chance while the other axis is clear of chance: where both are
// near it, the model has learned too little to say. Excluded where all of them are clear of both.
// Noise is 95 % over the `hold` checkpoints together.
std::vector<Finding> EvaluateAxisSpent(const RuleConfig& rule, const RuleInputs& inputs);

// Holds where the interval of the effective dimension of a family's scores lies below the
// threshold, excluded where it lies above it.
std::vector<Finding> EvaluateDimensionCollapse(const RuleConfig& rule, const RuleInputs& inputs);

// Holds where the checkpoint that waits longest for an evaluation has waited longer than `after`
// (by itself three times the median evaluation, and at least 10 minutes) and more wait now than did
// so long ago; excluded where none has waited so long. A long queue that shrinks is neither.
std::vector<Finding> EvaluateQueueGrowing(const RuleConfig& rule, const RuleInputs& inputs);

// Holds for a sink in whose outbox something has waited longer than `after` (by itself 5 minutes),
// or that gave something up since the last delivery; excluded where neither is so.
std::vector<Finding> EvaluateSinkBroken(const RuleConfig& rule, const RuleInputs& inputs);

// Holds where the last `failures` checkpoints in order of steps were put aside; excluded once the
// last one was evaluated.
std::vector<Finding> EvaluateEvaluationFailing(const RuleConfig& rule, const RuleInputs& inputs);

// Holds where a run that is alive saw its last checkpoint longer ago than overdue_after, or than
// three median intervals (of at least four, and at least a minute); excluded by a newer checkpoint
// and by the end of the run.
std::vector<Finding> EvaluateCheckpointOverdue(const RuleConfig& rule, const RuleInputs& inputs);

// Holds for each refused checkpoint, with the label cause="nan" and nan_severity where its weights
// or logits are NaN or infinite; excluded once it, or a later step, was evaluated, or it was
// skipped by hand.
std::vector<Finding> EvaluateBadCheckpoint(const RuleConfig& rule, const RuleInputs& inputs);

// A finding with rule, kind, run, subject, severity and the labels that every alert carries.
Finding NewFinding(const RuleConfig& rule, const std::string& run, const std::string& subject,
                   bool active);

// What a dimension_collapse is about.
std::string DimensionSubject(const std::vector<std::string>& metrics);

// The texts of the axis pairs that the rule is about.
std::set<std::string> RuleAxes(const RuleConfig& rule, const RuleInputs& inputs);

const WatchedRun* FindWatchedRun(const RuleInputs& inputs, const std::string& name);
bool IsWatchedFamily(const RuleInputs& inputs, const std::string& family);

// Checkpoints of the live generation, in order of steps.
std::vector<const Checkpoint*> LiveCheckpoints(const WatchedRun& run);

// "hellaswag.acc_norm,truthfulqa_mc2.acc" in two.
struct AxesNames {
  std::string reasoning, truthfulness;
};
AxesNames SplitAxes(const std::string& axes);

// "[-0.45, -0.18]"; "[-∞, 0.20]" where a side is unbounded; "unknown" where a bound is missing.
std::string IntervalText(const std::optional<double>& low, const std::optional<double>& high,
                         std::string (*number)(double));
std::string SignedText(double value);  // "-0.32", "0.05"

// Finite values only.
void SetValue(Finding& finding, const std::string& name, const std::optional<double>& value);

}  // namespace couplingd
