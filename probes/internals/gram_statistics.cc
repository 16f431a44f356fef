#include "probes/internals/gram_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kLevel = 0.95;
constexpr double kNormal95 = 1.959963984540054;
constexpr double kCompetingCosine = -0.5;

// A row of weights that gives the mean over [first, first + count).
VectorXd MeanWeights(Index all, Index first, Index count) {
  VectorXd weights = VectorXd::Zero(all);
  weights.segment(first, count).setConstant(1.0 / static_cast<double>(count));
  return weights;
}

void DrawRow(Random& random, Index first, Index count, Eigen::Ref<MatrixXd> rows, Index row) {
  for (Index i = 0; i < count; ++i) {
    const auto drawn = static_cast<Index>(random.Index(static_cast<std::size_t>(count)));
    rows(row, first + drawn) += 1.0 / static_cast<double>(count);
  }
}

// Row by row, the cosine of the vectors that two rows of weights combine.
VectorXd Cosines(const MatrixXd& gram, const MatrixXd& a, const MatrixXd& b) {
  const MatrixXd of_a = a * gram;
  const MatrixXd of_b = b * gram;
  const VectorXd product = of_a.cwiseProduct(b).rowwise().sum();
  const VectorXd squares_a = of_a.cwiseProduct(a).rowwise().sum();
  const VectorXd squares_b = of_b.cwiseProduct(b).rowwise().sum();
  return product.cwiseQuotient(squares_a.cwiseProduct(squares_b).cwiseSqrt());
}

struct MeansOf {
  MatrixXd reasoning, truthfulness, neutral;  // one row each
};

MeansOf Means(const PromptGroups& groups) {
  const Index all = groups.All();
  return {MeanWeights(all, 0, groups.reasoning).transpose(),
          MeanWeights(all, groups.reasoning, groups.truthfulness).transpose(),
          MeanWeights(all, groups.Labelled(), groups.neutral).transpose()};
}

// The interval is of the draws that exist.
Estimate FromDraws(double value, const VectorXd& draws) {
  std::vector<double> finite;
  for (const double draw : draws) {
    if (std::isfinite(draw)) finite.push_back(draw);
  }
  if (!std::isfinite(value) || finite.size() < 2) return {kNone, kNone, kNone, kNone};
  const double count = static_cast<double>(finite.size());
  const double mean = std::accumulate(finite.begin(), finite.end(), 0.0) / count;
  double squares = 0;
  for (const double draw : finite) squares += (draw - mean) * (draw - mean);
  const Interval interval = CentralInterval(std::move(finite), kLevel);
  return {value, interval.low, interval.high, std::sqrt(squares / (count - 1))};
}

MatrixXd Labelled(const MatrixXd& gram, const PromptGroups& groups) {
  return gram.topLeftCorner(groups.Labelled(), groups.Labelled());
}

// Inner products of the vectors less their mean.
MatrixXd Centred(const MatrixXd& gram) {
  const Eigen::RowVectorXd means = gram.colwise().mean();
  MatrixXd centred = gram;
  centred.rowwise() -= means;
  centred.colwise() -= means.transpose();
  centred.array() += means.mean();
  return centred;
}

// (Σλ)² / Σλ² needs no eigenvalues: trace² over the squared Frobenius norm.
double Participation(const MatrixXd& centred) {
  const double trace = centred.trace();
  const double squares = centred.squaredNorm();
  return squares > 0 ? trace * trace / squares : kNone;
}

// 1 where the pair's cosine is below the bound, 0 where not; NaN where there is none.
MatrixXd CompetingPairs(const MatrixXd& gram) {
  const VectorXd lengths = gram.diagonal().cwiseSqrt();
  MatrixXd pairs(gram.rows(), gram.cols());
  for (Index i = 0; i < gram.rows(); ++i) {
    for (Index j = 0; j < gram.cols(); ++j) {
      const double cosine = gram(i, j) / (lengths(i) * lengths(j));
      pairs(i, j) = std::isfinite(cosine) ? (cosine < kCompetingCosine ? 1.0 : 0.0) : kNone;
    }
  }
  return pairs;
}

}  // namespace

PromptDraws DrawPrompts(const PromptGroups& groups, int replicates, int relabellings,
                        std::uint64_t seed) {
  const Index all = groups.All();
  PromptDraws draws{.groups = groups};
  Random random(seed);
  draws.reasoning = draws.truthfulness = draws.neutral = MatrixXd::Zero(replicates, all);
  for (int row = 0; row < replicates; ++row) {
    DrawRow(random, 0, groups.reasoning, draws.reasoning, row);
    DrawRow(random, groups.reasoning, groups.truthfulness, draws.truthfulness, row);
    DrawRow(random, groups.Labelled(), groups.neutral, draws.neutral, row);
  }
  draws.random_reasoning = draws.random_truthfulness = MatrixXd::Zero(relabellings, all);
  std::vector<Index> order(static_cast<std::size_t>(groups.Labelled()));
  for (int row = 0; row < relabellings; ++row) {
    std::iota(order.begin(), order.end(), Index{0});
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Index(i)]);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool first = static_cast<Index>(i) < groups.reasoning;
      (first ? draws.random_reasoning : draws.random_truthfulness)(row, order[i]) =
          1.0 / static_cast<double>(first ? groups.reasoning : groups.truthfulness);
    }
  }
  return draws;
}

double CosineOfMeans(const MatrixXd& gram, const PromptGroups& groups) {
  const MeansOf means = Means(groups);
  return Cosines(gram, means.reasoning, means.truthfulness)(0);
}

Estimate CouplingOfMeans(const MatrixXd& gram, const PromptDraws& draws) {
  return FromDraws(CosineOfMeans(gram, draws.groups),
                   Cosines(gram, draws.reasoning, draws.truthfulness));
}

Estimate CentredCoupling(const MatrixXd& gram, const PromptDraws& draws) {
  const MeansOf means = Means(draws.groups);
  return FromDraws(
      Cosines(gram, means.reasoning - means.neutral, means.truthfulness - means.neutral)(0),
      Cosines(gram, draws.reasoning - draws.neutral, draws.truthfulness - draws.neutral));
}

Relabelled RelabelledCoupling(const MatrixXd& gram, const PromptDraws& draws) {
  const double value = CosineOfMeans(gram, draws.groups);
  const VectorXd random = Cosines(gram, draws.random_reasoning, draws.random_truthfulness);
  if (!std::isfinite(value) || !random.allFinite()) return {kNone, {kNone, kNone}, kNone};
  const auto extreme = static_cast<double>((random.array() <= value).count());
  return {random.mean(), CentralInterval({random.begin(), random.end()}, kLevel),
          (1 + extreme) / static_cast<double>(1 + random.size())};
}

Estimate CouplingDifference(const MatrixXd& before, const MatrixXd& after,
                            const PromptDraws& draws) {
  return FromDraws(CosineOfMeans(after, draws.groups) - CosineOfMeans(before, draws.groups),
                   Cosines(after, draws.reasoning, draws.truthfulness) -
                       Cosines(before, draws.reasoning, draws.truthfulness));
}

double CompetingShare(const MatrixXd& gram, const PromptGroups& groups) {
  return CompetingPairs(gram)
      .block(0, groups.reasoning, groups.reasoning, groups.truthfulness)
      .mean();
}

bool Competes(double share) { return share > 0.5; }

VectorXd RelabelledShares(const MatrixXd& gram, const PromptDraws& draws) {
  const Index labelled = draws.groups.Labelled();
  const MatrixXd pairs = CompetingPairs(Labelled(gram, draws.groups));
  if (!pairs.allFinite()) return VectorXd::Constant(draws.random_reasoning.rows(), kNone);
  return (draws.random_reasoning.leftCols(labelled) * pairs)
      .cwiseProduct(draws.random_truthfulness.leftCols(labelled))
      .rowwise()
      .sum();
}

VectorXd CovarianceEigenvalues(const MatrixXd& gram, const PromptGroups& groups) {
  const MatrixXd centred = Centred(Labelled(gram, groups));
  const double scale = static_cast<double>(groups.Labelled() - 1);
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(centred / scale, Eigen::EigenvaluesOnly);
  return solver.eigenvalues().tail(groups.Labelled() - 1).reverse().cwiseMax(0.0);
}

Estimate ParticipationRatio(const MatrixXd& gram, const PromptGroups& groups) {
  const MatrixXd labelled = Labelled(gram, groups);
  const Index n = labelled.rows();
  const double value = Participation(Centred(labelled));
  VectorXd without(n);
  for (Index left_out = 0; left_out < n; ++left_out) {
    std::vector<Index> rest;
    for (Index i = 0; i < n; ++i) {
      if (i != left_out) rest.push_back(i);
    }
    without(left_out) = Participation(Centred(labelled(rest, rest)));
  }
  if (!std::isfinite(value) || !without.allFinite()) return {kNone, kNone, kNone, kNone};
  const double variance = (without.array() - without.mean()).square().sum() *
                          static_cast<double>(n - 1) / static_cast<double>(n);
  const double half = kNormal95 * std::sqrt(variance);
  return {value, value - half, value + half, std::sqrt(variance)};
}

}  // namespace couplingd
