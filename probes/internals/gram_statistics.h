// Statistics of prompts' activation vectors, from their inner products alone: n prompts make one
// n × n Gram matrix per layer or head, and every draw of prompts is a product with it. Pure; no
// libtorch.
//
// Published counterparts: arXiv:2605.18838, "internal coupling"; each is given with its interval
// and with what it is under labels drawn at random.
#pragma once

#include <Eigen/Dense>
#include <cstdint>

#include "base/quantiles.h"

namespace couplingd {

// Rows of a Gram matrix in this order.
struct PromptGroups {
  Eigen::Index reasoning = 0;
  Eigen::Index truthfulness = 0;
  Eigen::Index neutral = 0;
  Eigen::Index Labelled() const { return reasoning + truthfulness; }
  Eigen::Index All() const { return Labelled() + neutral; }
};

// A value with a 95 % interval. NaN throughout where it does not exist.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
  double stderr_value = 0;
};

// What a statistic is under relabelled prompts: its mean and the interval that holds 95 % of it.
struct Relabelled {
  double mean = 0;
  Interval range;
  double p = 1;  // (1 + relabellings that are at least as extreme) / (1 + relabellings)
};

// Prompts drawn with replacement within their group, and labels drawn at random: made once and
// used for every layer and head, so that they are compared on the same draws. A row holds the
// weight of each prompt in a group's mean.
struct PromptDraws {
  PromptGroups groups;
  Eigen::MatrixXd reasoning, truthfulness, neutral;       // replicates × All()
  Eigen::MatrixXd random_reasoning, random_truthfulness;  // relabellings × All()
};
// REQUIRES: two prompts or more in every group.
PromptDraws DrawPrompts(const PromptGroups& groups, int replicates, int relabellings,
                        std::uint64_t seed);

// cos(mean over reasoning, mean over truthfulness); NaN where a mean is zero or not finite.
double CosineOfMeans(const Eigen::MatrixXd& gram, const PromptGroups& groups);
Estimate CouplingOfMeans(const Eigen::MatrixXd& gram, const PromptDraws& draws);
// The same after the mean over neutral text is subtracted from both: what is left when the
// direction that all text shares is taken out.
Estimate CentredCoupling(const Eigen::MatrixXd& gram, const PromptDraws& draws);
// CouplingOfMeans under relabelling; extreme is small: a set that the model keeps apart is less
// alike than two random halves.
Relabelled RelabelledCoupling(const Eigen::MatrixXd& gram, const PromptDraws& draws);

// CouplingOfMeans(after) − CouplingOfMeans(before), on the same draws.
Estimate CouplingDifference(const Eigen::MatrixXd& before, const Eigen::MatrixXd& after,
                            const PromptDraws& draws);

// The share of (reasoning, truthfulness) pairs whose cosine is below −0.5; NaN where the cosine of
// any pair does not exist (a vector that is zero, NaN or infinite). A layer or head competes where
// it is above one half.
double CompetingShare(const Eigen::MatrixXd& gram, const PromptGroups& groups);
bool Competes(double share);
// The same for every relabelling.
Eigen::VectorXd RelabelledShares(const Eigen::MatrixXd& gram, const PromptDraws& draws);

// Eigenvalues of the covariance of the labelled prompts' vectors, descending, n − 1 of them, and
// their participation ratio (Σλ)² / Σλ² with a jackknife interval over prompts. It cannot exceed
// n − 1, and is NaN where the vectors are all the same.
Eigen::VectorXd CovarianceEigenvalues(const Eigen::MatrixXd& gram, const PromptGroups& groups);
Estimate ParticipationRatio(const Eigen::MatrixXd& gram, const PromptGroups& groups);

}  // namespace couplingd
