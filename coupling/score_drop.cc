#include "coupling/score_drop.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace couplingd {
namespace {

constexpr Eigen::Index kManyResiduals = 16;
constexpr double kLeastShare = 0.75;

}  // namespace

ScoreLevel BestLevel(const std::vector<double>& scores, int width, bool lower_is_better) {
  const int count = static_cast<int>(scores.size());
  ScoreLevel best{.width = std::min(width, count)};
  best.candidates = count - best.width + 1;
  for (int first = 0; first < best.candidates; ++first) {
    double sum = 0;
    for (int i = first; i < first + best.width; ++i) sum += scores[static_cast<std::size_t>(i)];
    const double mean = sum / best.width;
    const bool is_better = lower_is_better ? mean < best.value : mean > best.value;
    if (first > 0 && !is_better) continue;
    best.first = first;
    best.value = mean;
  }
  return best;
}

LevelDrop DropBelowLevel(const Eigen::VectorXd& scores, const Eigen::MatrixXd& covariance,
                         double item_dof, const StepNoise& noise, bool lower_is_better) {
  const Eigen::Index others = scores.size() - 1;
  Eigen::VectorXd contrast =
      Eigen::VectorXd::Constant(scores.size(), 1 / static_cast<double>(others));
  contrast[others] = -1;
  if (lower_is_better) contrast *= -1;
  const double places = contrast.squaredNorm();  // 1 + 1/m independent errors
  const double items = std::max(0.0, contrast.dot(covariance * contrast));
  const bool has_many = noise.residuals.size() >= kManyResiduals;
  const double least = has_many ? kLeastShare * noise.total_variance : 0;
  const double steps = places * std::max(std::pow(noise.deviation, 2), least);
  const double estimated = has_many ? steps : places * noise.total_variance;
  const double uncertain = std::pow(items, 2) / item_dof + std::pow(estimated, 2) / noise.dof;
  LevelDrop drop{.value = contrast.dot(scores), .standard_error = std::sqrt(items + steps)};
  drop.dof = uncertain > 0 ? std::pow(items + steps, 2) / uncertain
                           : std::numeric_limits<double>::infinity();
  return drop;
}

}  // namespace couplingd
