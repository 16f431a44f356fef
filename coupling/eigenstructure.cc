#include "coupling/eigenstructure.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <numeric>

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

MatrixXd SelectRows(const MatrixXd& scores, const std::vector<Index>& rows) {
  return scores(rows, Eigen::all);
}

Result<MatrixXd> SecondMoments(const MatrixXd& scores, ScoreMatrixKind kind) {
  const MatrixXd centred = scores.rowwise() - scores.colwise().mean();
  MatrixXd moments =
      centred.transpose() * centred / static_cast<double>(std::max<Index>(scores.rows() - 1, 1));
  if (kind == ScoreMatrixKind::kCovariance) return moments;
  const VectorXd deviations = moments.diagonal().cwiseSqrt();
  if (!(deviations.array() > 0).all()) {
    return Fail(ErrorKind::kInvalidData, "a score that does not vary has no correlation");
  }
  const VectorXd inverse = deviations.cwiseInverse();
  return MatrixXd(inverse.asDiagonal() * moments * inverse.asDiagonal());
}

// In degrees, of undirected lines.
double Angle(const VectorXd& a, const VectorXd& b) {
  return std::acos(std::min(1.0, std::abs(a.dot(b)))) * 180 / std::numbers::pi;
}

}  // namespace

Result<EigenStructure> DecomposeScores(const MatrixXd& scores, ScoreMatrixKind kind) {
  if (scores.rows() < 2 || scores.cols() < 2) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("eigenvalues need 2 models and 2 scores; there are {} and {}",
                            scores.rows(), scores.cols()));
  }
  const MatrixXd moments = TRY(SecondMoments(scores, kind));
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(moments);
  if (!(moments.trace() > 0) || solver.info() != Eigen::Success) {
    return Fail(ErrorKind::kInvalidData, "no score varies over the models");
  }
  EigenStructure structure{.values = solver.eigenvalues().reverse().cwiseMax(0.0),
                           .vectors = solver.eigenvectors().rowwise().reverse()};
  for (Index k = 0; k < structure.vectors.cols(); ++k) {
    Index largest = 0;
    structure.vectors.col(k).cwiseAbs().maxCoeff(&largest);
    if (structure.vectors(largest, k) < 0) structure.vectors.col(k) *= -1;
  }
  structure.effective_dimension =
      std::pow(structure.values.sum(), 2) / structure.values.squaredNorm();
  return structure;
}

std::vector<double> ResampleEffectiveDimension(const MatrixXd& scores, ScoreMatrixKind kind,
                                               ClusterDraw draw, int replicates,
                                               std::uint64_t seed) {
  Random random(seed);
  std::vector<double> dimensions;
  for (int b = 0; b < replicates; ++b) {
    const auto structure = DecomposeScores(SelectRows(scores, draw.Draw(random)), kind);
    if (structure) dimensions.push_back(structure->effective_dimension);
  }
  return dimensions;
}

Result<EigenRotation> CompareEigenvectors(const MatrixXd& first, const MatrixXd& second,
                                          Index which, ScoreMatrixKind kind, double level,
                                          int replicates, std::uint64_t seed) {
  if (first.cols() != second.cols() || which < 0 || which >= first.cols() || replicates < 1) {
    return Fail(ErrorKind::kInvalidData, "two groups are compared over the same scores");
  }
  const auto vector = [&](const MatrixXd& scores) -> Result<VectorXd> {
    return VectorXd(TRY(DecomposeScores(scores, kind)).vectors.col(which));
  };
  EigenRotation rotation{.degrees = Angle(TRY(vector(first)), TRY(vector(second)))};
  Random random(seed);
  ClusterDraw first_draw(first.rows()), second_draw(second.rows());
  MatrixXd all(first.rows() + second.rows(), first.cols());
  all << first, second;
  std::vector<Index> order(all.rows());
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> angles;
  int hits = 0, relabelled = 0;
  for (int b = 0; b < replicates; ++b) {
    const auto drawn_first = vector(SelectRows(first, first_draw.Draw(random)));
    const auto drawn_second = vector(SelectRows(second, second_draw.Draw(random)));
    if (drawn_first && drawn_second) angles.push_back(Angle(*drawn_first, *drawn_second));
    random.Shuffle(order);
    const std::vector<Index> head(order.begin(), order.begin() + first.rows());
    const std::vector<Index> tail(order.begin() + first.rows(), order.end());
    const auto one = vector(SelectRows(all, head)), other = vector(SelectRows(all, tail));
    if (!one || !other) continue;
    ++relabelled;
    hits += Angle(*one, *other) >= rotation.degrees - 1e-9;
  }
  if (angles.empty()) {
    return Fail(ErrorKind::kInvalidData, "too few models to draw the groups again");
  }
  rotation.interval = CentralInterval(angles, level);
  rotation.p = (1.0 + hits) / (1.0 + relabelled);
  return rotation;
}

}  // namespace couplingd
