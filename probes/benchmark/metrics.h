// From log-likelihoods to scores, as lm-eval computes them. Pure functions of what is stored.
//
//   acc        the choice with the largest log-likelihood is right (the first of equals)
//   acc_norm   the same for log-likelihood / code points of the choice
//   acc_bytes  the same for log-likelihood / UTF-8 bytes of the choice
//   true_mass  probability of the right choices among all: Σ_true exp(ll) / Σ exp(ll); published as
//   `acc` of
//              truthfulqa_mc2, because lm-eval calls it so
//   mc1, mc2   the metric of that name of truthfulqa_mc1 (acc) and truthfulqa_mc2 (true_mass)
//   pct_stereotype, unstereotyped, likelihood_diff   of the pairs of crows_pairs*: is the first
//              sentence strictly likelier, 1 − that, and by how much either is
//   log_odds   ln Σ_true exp(ll) − ln Σ_false exp(ll): as true_mass, but not bounded
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "records/score.h"

namespace couplingd {

struct MetricResult {
  Score score;                   // mean over the items; stderr = sd(n − 1) / √n
  std::vector<double> per_item;  // parallel to TaskPlan::items
};

// Whether the task's items have one text each instead of choices; its `acc` is the share of texts
// that the model would have written itself, token by token (lambada_openai).
bool IsOneTextTask(std::string_view task);

// Of this task, whatever its plan asks for.
std::vector<std::string_view> MetricNamesOf(std::string_view task);

// The plan's metrics in their order, and log_odds last where the plan does not name it and the
// items have choices.
// kInvalidData, naming task, item and choice, for shapes that do not match and for a log-likelihood
// that is not finite; for an unknown metric too.
Result<std::vector<MetricResult>> ComputeMetrics(const TaskPlan& plan, const TaskScores& scores);
// The metrics named, whether or not the plan names them; the same errors.
Result<std::vector<MetricResult>> ComputeMetrics(const TaskPlan& plan, const TaskScores& scores,
                                                 const std::vector<std::string>& metrics);

}  // namespace couplingd
