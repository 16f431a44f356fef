#include "coupling/phase_evidence.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "coupling/statistics.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr Index kNoisePlaces = 32;
constexpr Index kFewestMeans = 24;
constexpr Index kFewestForOwnNoise = 6;
constexpr double kClearlyLarger = 2;
constexpr double kExpectedNoise = 0.01;  // of a fraction
constexpr double kExpectedDof = 10;

double NormalTail(double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); }

double StudentTail(double t, double dof) {
  return cdf(complement(boost::math::students_t(dof), t));
}

struct Noise {
  double variance = 0;  // of independent noise at single places that would move trends as much
  double dof = 0;
};

Noise RoughNoise(const VectorXd& values, const VectorXd& positions) {
  double sum = 0;
  const std::vector<double> rough = RoughPart(values, positions);
  for (const double value : rough) sum += value * value;
  const auto count = static_cast<double>(rough.size());
  return {sum / count, RoughDof(count)};
}

// Means of `size` neighbours, counted from the end; what is left over at the beginning is dropped.
VectorXd Means(const VectorXd& values, Index size) {
  const Index count = values.size() / size;
  const VectorXd kept = values.tail(count * size);
  return Eigen::Map<const MatrixXd>(kept.data(), size, count).colwise().mean().transpose();
}

Noise MeasureNoise(const VectorXd& values, const VectorXd& positions, Index first) {
  const Index all = values.size(), window = all - first;
  const Index used = std::max(window, std::min(all, kNoisePlaces));
  const VectorXd y = values.tail(used), x = positions.tail(used);
  const Noise single = RoughNoise(y, x);
  Noise noise = single;
  if (window < used && window >= kFewestForOwnNoise) {
    noise.variance =
        std::max(noise.variance, RoughNoise(values.tail(window), positions.tail(window)).variance);
  }
  for (Index size = 2; used / size >= kFewestMeans; size *= 2) {
    Noise means = RoughNoise(Means(y, size), Means(x, size));
    means.variance *= static_cast<double>(size);
    if (means.variance <= noise.variance) continue;
    noise.variance = means.variance;
    if (means.variance > kClearlyLarger * single.variance) noise.dof = means.dof;
  }
  return noise;
}

Noise Moderated(const Noise& measured, double expected) {
  const double dof = measured.dof + kExpectedDof;
  const double variance = (measured.dof * measured.variance + kExpectedDof * expected) / dof;
  return {std::max(measured.variance, variance), dof};
}

// P-values that the truth behind a measured change is not positive, and not negative.
struct Sides {
  double rises = 1;
  double falls = 1;
};

class Window {
 public:
  explicit Window(const EvidenceInput& input)
      : input_(input),
        contrast_(TrendContrast(input.positions.tail(input.positions.size() - input.first))) {}

  Sides OfReasoning() const {
    return Judge(input_.reasoning, input_.change.reasoning, input_.rough.reasoning,
                 input_.reasoning_step * input_.reasoning_step,
                 input_.reasoning_noise * input_.reasoning_noise);
  }

  Sides OfContrast(double bound) const {
    const auto square = [&](double truthfulness, double reasoning) {
      return truthfulness * truthfulness + bound * bound * reasoning * reasoning;
    };
    return Judge(input_.truthfulness - bound * input_.reasoning, input_.change.OfContrast(bound),
                 input_.rough.OfContrast(bound),
                 square(input_.truthfulness_step, input_.reasoning_step),
                 square(input_.truthfulness_noise, input_.reasoning_noise));
  }

 private:
  Sides Judge(const VectorXd& values, double sampling, double rough, double least,
              double expected) const {
    const double change = contrast_.dot(values.tail(contrast_.size()));
    const double weight = contrast_.squaredNorm();
    Noise noise = MeasureNoise(values, input_.positions, input_.first);
    if (expected > 0) noise = Moderated(noise, rough + expected);
    const double measured = weight * std::max(noise.variance, least);
    const double common = std::max(sampling - weight * rough, 0.0);
    double tail = NoiseTail(change, common, measured, noise.dof);
    if (sampling > 0) tail = std::max(tail, SamplingTail(std::abs(change) / std::sqrt(sampling)));
    return change > 0 ? Sides{tail, 1 - tail} : Sides{1 - tail, tail};
  }

  double SamplingTail(double deviate) const {
    return input_.units > 1 ? StudentTail(deviate, input_.units - 1) : NormalTail(deviate);
  }

  const EvidenceInput& input_;
  const VectorXd contrast_;
};

PairVariance PairOf(const ScoreSample& sample, Index at, const VectorXd& weights) {
  const Index n = weights.size();
  const auto variance = [&](const MatrixXd& covariance) {
    return weights.dot(covariance.block(at, at, n, n) * weights);
  };
  return {variance(sample.reasoning.covariance), variance(sample.truthfulness.covariance),
          variance(sample.cross)};
}

double ExpectedNoise(const TaskMetric& axis) {
  return IsFractionMetric(axis.metric) ? kExpectedNoise : 0;
}

double Step(const AxisSample& axis) { return axis.items > 0 ? 0.5 / axis.items : 1e-9; }

}  // namespace

double NoiseTail(double change, double known, double measured, double dof) {
  const double distance = std::abs(change);
  if (measured == 0) return NormalTail(distance / std::sqrt(known));
  // Over u = log(χ²/dof), where the density is smooth and dies off on both sides: the trapezoidal
  // rule converges exponentially. What lies outside weighs less than 1e-30.
  constexpr double kFewestSteps = 64, kWidestStep = 0.25;
  constexpr double kLogWeight = 70;
  const double reach = 2 * kLogWeight / dof;
  const double low = -(reach + std::sqrt(2 * reach));
  const double high = std::min(std::sqrt(2 * reach), 1 + std::log(2 + 2 * reach));
  const double steps = std::max(kFewestSteps, std::ceil((high - low) / kWidestStep));
  double weights = 0, sum = 0;
  for (double i = 0; i <= steps; ++i) {
    const double u = low + (high - low) * i / steps;
    const double ratio = std::exp(u);
    const double weight = std::exp(dof / 2 * (u - ratio + 1));
    weights += weight;
    sum += weight * NormalTail(distance / std::sqrt(known + measured / ratio));
  }
  return sum / weights;
}

PhaseEvidence MeasureEvidence(const EvidenceInput& input, const PhaseBounds& bounds) {
  const Window window(input);
  const Sides reasoning = window.OfReasoning();
  const Sides tax = window.OfContrast(bounds.tax), bonus = window.OfContrast(bounds.bonus);
  return {.reasoning_rises = reasoning.rises,
          .below_tax = tax.falls,
          .above_tax = tax.rises,
          .below_bonus = bonus.falls,
          .above_bonus = bonus.rises};
}

double WindowShare(std::size_t window, std::size_t count) {
  if (count == 1) return 1;
  return window == 0 ? 0.5 : 0.5 / static_cast<double>(count - 1);
}

PhaseEvidence CombineEvidence(std::span<const PhaseEvidence> windows) {
  const PhaseEvidence& narrowest = windows[0];
  const auto least = [&](auto p_value) {
    const bool leans = p_value(narrowest) < 0.5;
    double smallest = 1;
    for (std::size_t window = 0; window < windows.size(); ++window) {
      if (window > 0 && !leans) continue;
      smallest = std::min(smallest, p_value(windows[window]) / WindowShare(window, windows.size()));
    }
    return smallest;
  };
  PhaseEvidence combined = narrowest;
  combined.reasoning_rises = least([](const PhaseEvidence& of) { return of.reasoning_rises; });
  combined.below_tax =
      least([](const PhaseEvidence& of) { return std::max(of.reasoning_rises, of.below_tax); });
  combined.above_bonus =
      least([](const PhaseEvidence& of) { return std::max(of.reasoning_rises, of.above_bonus); });
  return combined;
}

EvidenceInput WindowEvidenceInput(const AxisPair& axes, const ScoreSample& sample,
                                  Index sample_first, Index first, const VectorXd& positions,
                                  const VectorXd& reasoning, const VectorXd& truthfulness) {
  const Index places = positions.size() - first, at = first - sample_first;
  EvidenceInput input{.positions = positions,
                      .reasoning = reasoning,
                      .truthfulness = truthfulness,
                      .first = first,
                      .reasoning_step = Step(sample.reasoning),
                      .truthfulness_step = Step(sample.truthfulness),
                      .reasoning_noise = ExpectedNoise(axes.reasoning),
                      .truthfulness_noise = ExpectedNoise(axes.truthfulness)};
  const VectorXd x = positions.tail(places);
  input.change = PairOf(sample, at, TrendContrast(x));
  const auto inner = static_cast<double>(places - 2);
  for (Index k = 1; k + 1 < places; ++k) {
    const PairVariance rough = PairOf(sample, at + k - 1, RoughWeights(x, k));
    input.rough.reasoning += rough.reasoning / inner;
    input.rough.truthfulness += rough.truthfulness / inner;
    input.rough.cross += rough.cross / inner;
  }
  for (const AxisSample* axis : {&sample.reasoning, &sample.truthfulness}) {
    if (axis->units > 0)
      input.units = input.units > 0 ? std::min(input.units, axis->units) : axis->units;
  }
  return input;
}

}  // namespace couplingd
