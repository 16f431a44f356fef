#include "coupling/effective_dimension.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::Index;

// |d_eff of the first `count` rows − d_eff of the others|.
Result<double> Difference(const Eigen::MatrixXd& scores, const std::vector<Index>& order,
                          Index count, ScoreMatrixKind kind) {
  const std::vector<Index> head(order.begin(), order.begin() + count);
  const std::vector<Index> tail(order.begin() + count, order.end());
  const EigenStructure one = TRY(DecomposeScores(scores(head, Eigen::all), kind));
  const EigenStructure other = TRY(DecomposeScores(scores(tail, Eigen::all), kind));
  return std::abs(one.effective_dimension - other.effective_dimension);
}

}  // namespace

Result<EffectiveDimension> MeasureDimension(const Eigen::MatrixXd& scores,
                                            std::span<const std::string> families,
                                            const DimensionOptions& options) {
  EffectiveDimension found{.models = static_cast<int>(scores.rows())};
  const int least = options.even_if_few ? 3 : static_cast<int>(2 * scores.cols()) + 1;
  if (found.models < least) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("an effective dimension of {} scores needs {} models, not {}",
                            scores.cols(), least, found.models));
  }
  found.value = TRY(DecomposeScores(scores, options.kind)).effective_dimension;
  ClusterDraw draw(families);
  found.families = static_cast<int>(draw.Clusters());
  const std::vector<double> drawn =
      ResampleEffectiveDimension(scores, options.kind, draw, options.replicates, options.seed);
  found.interval =
      drawn.empty() ? Interval{found.value, found.value} : CentralInterval(drawn, options.level);
  return found;
}

Result<double> CompareDimensions(const Eigen::MatrixXd& first, const Eigen::MatrixXd& second,
                                 const DimensionOptions& options) {
  Eigen::MatrixXd both(first.rows() + second.rows(), first.cols());
  both << first, second;
  std::vector<Index> order(both.rows());
  std::iota(order.begin(), order.end(), Index{0});
  const double observed = TRY(Difference(both, order, first.rows(), options.kind));
  Random random(options.seed);
  int as_large = 0;
  for (int i = 0; i < options.replicates; ++i) {
    random.Shuffle(order);
    const auto drawn = Difference(both, order, first.rows(), options.kind);
    as_large += drawn && *drawn >= observed * (1 - 1e-12);
  }
  return (as_large + 1.0) / (options.replicates + 1.0);
}

}  // namespace couplingd
