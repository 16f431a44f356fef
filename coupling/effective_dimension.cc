#include "coupling/effective_dimension.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "coupling/correlation.h"
#include "coupling/random.h"

namespace couplingd {
namespace {

using Eigen::Index;

Eigen::MatrixXd Rows(const Eigen::MatrixXd& scores, const std::vector<Index>& rows,
                     std::size_t first, std::size_t count) {
  Eigen::MatrixXd chosen(count, scores.cols());
  for (std::size_t i = 0; i < count; ++i) chosen.row(i) = scores.row(rows[first + i]);
  return chosen;
}

double RatioOf(const Eigen::MatrixXd& scores, SpreadMatrix which) {
  return scores.rows() < 2 ? std::nan("") : ParticipationRatio(SpreadEigenvalues(scores, which));
}

}  // namespace

Eigen::VectorXd SpreadEigenvalues(const Eigen::MatrixXd& scores, SpreadMatrix which) {
  Eigen::MatrixXd centred = scores.rowwise() - scores.colwise().mean();
  if (which == SpreadMatrix::kCorrelation) {
    for (Index j = 0; j < centred.cols(); ++j) centred.col(j) /= centred.col(j).norm();
  } else {
    centred /= std::sqrt(static_cast<double>(scores.rows() - 1));
  }
  const Eigen::MatrixXd spread = centred.transpose() * centred;
  if (!spread.allFinite()) return Eigen::VectorXd::Constant(scores.cols(), std::nan(""));
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(spread, Eigen::EigenvaluesOnly)
      .eigenvalues()
      .reverse();
}

double ParticipationRatio(const Eigen::VectorXd& eigenvalues) {
  const double squares = eigenvalues.squaredNorm();
  return squares > 0 ? eigenvalues.sum() * eigenvalues.sum() / squares : std::nan("");
}

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
  found.value = RatioOf(scores, options.matrix);
  if (std::isnan(found.value)) {
    return Fail(ErrorKind::kInvalidData, "an effective dimension needs scores that differ");
  }
  ClusterDraw draw(families);
  found.families = static_cast<int>(draw.Clusters());
  Random random(options.seed);
  std::vector<double> ratios;
  for (int i = 0; i < options.replicates; ++i) {
    const std::vector<Index>& rows = draw.Draw(random);
    const double ratio = RatioOf(Rows(scores, rows, 0, rows.size()), options.matrix);
    if (!std::isnan(ratio)) ratios.push_back(ratio);
  }
  found.interval = ratios.empty() ? Interval{found.value, found.value}
                                  : CentralInterval(std::move(ratios), options.level);
  return found;
}

double CompareDimensions(const Eigen::MatrixXd& first, const Eigen::MatrixXd& second,
                         const DimensionOptions& options) {
  Eigen::MatrixXd both(first.rows() + second.rows(), first.cols());
  both << first, second;
  const auto difference = [&](const std::vector<Index>& rows) {
    return std::abs(RatioOf(Rows(both, rows, 0, first.rows()), options.matrix) -
                    RatioOf(Rows(both, rows, first.rows(), second.rows()), options.matrix));
  };
  std::vector<Index> rows(both.rows());
  std::iota(rows.begin(), rows.end(), Index{0});
  const double observed = difference(rows);
  Random random(options.seed);
  int as_large = 0;
  for (int i = 0; i < options.replicates; ++i) {
    for (std::size_t last = rows.size() - 1; last > 0; --last)
      std::swap(rows[last], rows[random.Index(last + 1)]);
    as_large += difference(rows) >= observed * (1 - 1e-12);
  }
  return (as_large + 1.0) / (options.replicates + 1.0);
}

}  // namespace couplingd
