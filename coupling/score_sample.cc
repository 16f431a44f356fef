#include "coupling/score_sample.h"

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "coupling/item_statistics.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

struct Axis {
  double AxisObservation::*value;
  std::optional<double> AxisObservation::*standard_error;
  std::vector<double> AxisObservation::*items;
};
constexpr Axis kReasoning{&AxisObservation::reasoning, &AxisObservation::reasoning_stderr,
                          &AxisObservation::reasoning_items};
constexpr Axis kTruthfulness{&AxisObservation::truthfulness, &AxisObservation::truthfulness_stderr,
                             &AxisObservation::truthfulness_items};

NoiseSource SourceOf(std::span<const AxisObservation> chosen, const Axis& axis) {
  if (std::ranges::all_of(chosen, [&](const auto& at) { return !(at.*axis.items).empty(); })) {
    return NoiseSource::kItems;
  }
  if (std::ranges::all_of(chosen,
                          [&](const auto& at) { return (at.*axis.standard_error).has_value(); })) {
    return NoiseSource::kStderr;
  }
  return NoiseSource::kUnknown;
}

double Mean(const std::vector<double>& values) {
  return Eigen::Map<const VectorXd>(values.data(), static_cast<Index>(values.size())).mean();
}

VectorXd Scores(std::span<const AxisObservation> chosen, const Axis& axis) {
  VectorXd scores(static_cast<Index>(chosen.size()));
  for (Index k = 0; k < scores.size(); ++k) {
    const AxisObservation& at = chosen[k];
    scores[k] = (at.*axis.items).empty() ? at.*axis.value : Mean(at.*axis.items);
  }
  return scores;
}

ItemUnits MakeUnits(std::span<const AxisObservation> chosen, const Axis& axis,
                    const std::vector<std::string>& clusters) {
  std::vector<const std::vector<double>*> columns;
  for (const AxisObservation& at : chosen) columns.push_back(&(at.*axis.items));
  return SumByUnit(columns, clusters);
}

// Deviations of the mean, units drawn with replacement. Counts are gathered for a block of
// replicates, so that the work is one matrix product per block.
MatrixXd DrawUnits(const ItemUnits& units, int replicates, Random& random) {
  constexpr Index kBlock = 32;
  const Index count = units.sums.rows();
  MatrixXd draws(replicates, units.sums.cols());
  MatrixXd counts(count, kBlock);
  for (Index first = 0; first < replicates; first += kBlock) {
    const Index block = std::min<Index>(kBlock, replicates - first);
    counts.setZero();
    for (Index b = 0; b < block; ++b) {
      double* column = counts.col(b).data();
      for (Index i = 0; i < count; ++i) column[random.Index(count)] += 1;
    }
    const auto drawn = counts.leftCols(block).transpose();
    const VectorXd drawn_items = drawn * units.sizes;
    draws.middleRows(first, block).noalias() = drawn * units.sums;
    draws.middleRows(first, block).array().colwise() /= drawn_items.array();
  }
  return draws;
}

void FillFromItems(const ItemUnits& units, int replicates, Random& random, AxisSample& sample) {
  sample.items = static_cast<int>(units.sizes.sum());
  sample.units = static_cast<int>(units.sizes.size());
  sample.covariance = UnitCovariance(units.sums, units.sums, sample.items);
  sample.draws = DrawUnits(units, replicates, random);
}

void FillFromStderr(std::span<const AxisObservation> chosen, const Axis& axis, int replicates,
                    Random& random, AxisSample& sample) {
  const Index places = sample.scores.size();
  VectorXd errors(places);
  for (Index k = 0; k < places; ++k) errors[k] = *(chosen[k].*axis.standard_error);
  sample.covariance = errors.cwiseAbs2().asDiagonal();
  for (Index b = 0; b < replicates; ++b) {
    for (Index k = 0; k < places; ++k) sample.draws(b, k) = errors[k] * random.Normal();
  }
}

AxisSample DrawAxis(std::span<const AxisObservation> chosen, const Axis& axis,
                    const std::vector<std::string>& clusters, int replicates, Random& random) {
  AxisSample sample{.source = SourceOf(chosen, axis), .scores = Scores(chosen, axis)};
  const Index places = sample.scores.size();
  sample.covariance = MatrixXd::Zero(places, places);
  sample.draws = MatrixXd::Zero(replicates, places);
  if (sample.source == NoiseSource::kItems) {
    FillFromItems(MakeUnits(chosen, axis, clusters), replicates, random, sample);
  } else if (sample.source == NoiseSource::kStderr) {
    FillFromStderr(chosen, axis, replicates, random, sample);
  }
  return sample;
}

// Both axes on the same items: one draw for both.
ScoreSample DrawSharedItems(std::span<const AxisObservation> chosen,
                            const std::vector<std::string>& clusters, int replicates,
                            Random& random) {
  ScoreSample sample;
  sample.reasoning = {.source = NoiseSource::kItems, .scores = Scores(chosen, kReasoning)};
  sample.truthfulness = {.source = NoiseSource::kItems, .scores = Scores(chosen, kTruthfulness)};
  const ItemUnits reasoning = MakeUnits(chosen, kReasoning, clusters);
  const ItemUnits truthfulness = MakeUnits(chosen, kTruthfulness, clusters);
  const Index places = sample.Places();
  ItemUnits both{MatrixXd(reasoning.sums.rows(), 2 * places), reasoning.sizes};
  both.sums << reasoning.sums, truthfulness.sums;
  const MatrixXd draws = DrawUnits(both, replicates, random);
  const double items = both.sizes.sum();
  sample.reasoning.items = sample.truthfulness.items = static_cast<int>(items);
  sample.reasoning.units = sample.truthfulness.units = static_cast<int>(both.sizes.size());
  sample.reasoning.covariance = UnitCovariance(reasoning.sums, reasoning.sums, items);
  sample.truthfulness.covariance = UnitCovariance(truthfulness.sums, truthfulness.sums, items);
  sample.cross = UnitCovariance(reasoning.sums, truthfulness.sums, items);
  sample.reasoning.draws = draws.leftCols(places);
  sample.truthfulness.draws = draws.rightCols(places);
  return sample;
}

// diag of the covariance after the mean over places is taken out of every place, rescaled so that
// independent errors keep their variance on average.
VectorXd MovementDiagonal(const MatrixXd& covariance) {
  const Index places = covariance.rows();
  if (places < 2) return covariance.diagonal();
  const VectorXd row = covariance.rowwise().mean(), column = covariance.colwise().mean();
  const double scale = static_cast<double>(places) / static_cast<double>(places - 1);
  return scale * (covariance.diagonal() - row - column).array() + scale * covariance.mean();
}

AxisSample CombineAxis(const AxisSample& sample, const MatrixXd& combine) {
  return {.source = sample.source,
          .items = sample.items,
          .units = sample.units,
          .scores = combine * sample.scores,
          .covariance = combine * sample.covariance * combine.transpose(),
          .draws = sample.draws * combine.transpose()};
}

}  // namespace

ScoreSample DrawScores(const AxisSeries& series, std::span<const AxisObservation> chosen,
                       int replicates, std::uint64_t seed) {
  Random random(seed);
  if (series.axes_share_items && !chosen.empty() &&
      SourceOf(chosen, kReasoning) == NoiseSource::kItems) {
    return DrawSharedItems(chosen, series.reasoning_clusters, replicates, random);
  }
  ScoreSample sample;
  sample.reasoning = DrawAxis(chosen, kReasoning, series.reasoning_clusters, replicates, random);
  sample.truthfulness =
      DrawAxis(chosen, kTruthfulness, series.truthfulness_clusters, replicates, random);
  sample.cross = MatrixXd::Zero(sample.Places(), sample.Places());
  return sample;
}

ScoreSample SelectPlaces(const ScoreSample& sample, Index first, Index count) {
  const auto select = [&](const AxisSample& axis) {
    return AxisSample{.source = axis.source,
                      .items = axis.items,
                      .units = axis.units,
                      .scores = axis.scores.segment(first, count),
                      .covariance = axis.covariance.block(first, first, count, count),
                      .draws = axis.draws.middleCols(first, count)};
  };
  return {select(sample.reasoning), select(sample.truthfulness),
          sample.cross.block(first, first, count, count)};
}

ScoreSample CombinePlaces(const ScoreSample& sample, const MatrixXd& combine) {
  return {CombineAxis(sample.reasoning, combine), CombineAxis(sample.truthfulness, combine),
          combine * sample.cross * combine.transpose()};
}

VectorXd MovementVariance(const AxisSample& sample) {
  const VectorXd variance = MovementDiagonal(sample.covariance);
  const double range =
      sample.scores.size() > 0 ? sample.scores.maxCoeff() - sample.scores.minCoeff() : 0;
  const double quantum = sample.items > 0 ? 0.5 / sample.items : 1e-4 * range + 1e-9;
  const double floor = std::max(0.05 * variance.cwiseMax(0).mean(), quantum * quantum);
  return variance.cwiseMax(floor);
}

VectorXd MovementCovariance(const ScoreSample& sample) { return MovementDiagonal(sample.cross); }

std::string NoiseText(const ScoreSample& sample) {
  const auto either = [&](NoiseSource source) {
    return sample.reasoning.source == source || sample.truthfulness.source == source;
  };
  std::string text;
  const auto add = [&](const char* part) { text += (text.empty() ? "" : "+") + std::string(part); };
  if (either(NoiseSource::kItems)) add("item-bootstrap");
  if (either(NoiseSource::kStderr)) add("stderr");
  if (either(NoiseSource::kUnknown)) add("residuals");
  return text;
}

}  // namespace couplingd
