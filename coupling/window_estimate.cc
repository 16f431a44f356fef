#include "coupling/window_estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/random.h"
#include "coupling/phase.h"
#include "coupling/statistics.h"
#include "coupling/york.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Variance of each point for an axis whose sampling error is unknown: what a smooth trend over the
// positions leaves, or nothing usable with fewer than 5 points.
double ResidualVariance(const VectorXd& positions, const VectorXd& scores) {
  const Index places = scores.size();
  if (places < 5) return 0;
  const auto trend = FitPolynomial(positions, scores, 2);
  if (!trend) return 0;
  double sum = 0;
  for (Index k = 0; k < places; ++k) sum += std::pow(scores[k] - (*trend)(positions[k]), 2);
  return sum / static_cast<double>(places - 3);
}

struct Points {
  std::vector<ErrorPoint> points;
  VectorXd known_x, known_y;  // sampling variances; zero where unknown
};

Points MakePoints(const WindowInput& input) {
  const ScoreSample& sample = input.sample;
  const auto known = [](const AxisSample& axis) {
    return axis.source == NoiseSource::kUnknown ? VectorXd::Zero(axis.scores.size()).eval()
                                                : MovementVariance(axis);
  };
  Points made{.known_x = known(sample.reasoning), .known_y = known(sample.truthfulness)};
  VectorXd x = made.known_x, y = made.known_y;
  if (sample.reasoning.source == NoiseSource::kUnknown) {
    x.setConstant(ResidualVariance(input.positions, sample.reasoning.scores));
  }
  if (sample.truthfulness.source == NoiseSource::kUnknown) {
    y.setConstant(ResidualVariance(input.positions, sample.truthfulness.scores));
  }
  const double least = 1e-12;
  if (x.maxCoeff() <= least) x = y.cwiseMax(least);
  if (y.maxCoeff() <= least) y = x;
  const VectorXd covariance = MovementCovariance(sample);
  for (Index k = 0; k < sample.Places(); ++k) {
    const double bound = 0.95 * std::sqrt(x[k] * y[k]);
    made.points.push_back({sample.reasoning.scores[k], sample.truthfulness.scores[k], x[k], y[k],
                           std::clamp(covariance[k], -bound, bound)});
  }
  return made;
}

// Points moved from `points` by the least likely distance d (in standard deviations) off the line.
ErrorPoint Displaced(const ErrorPoint& p, Direction line, double d) {
  const double normal_x = -line.sine, normal_y = line.cosine;
  const double x = p.variance_x * normal_x + p.covariance * normal_y;
  const double y = p.covariance * normal_x + p.variance_y * normal_y;
  const double scale = d / std::sqrt(normal_x * x + normal_y * y);
  ErrorPoint moved = p;
  moved.x += scale * x;
  moved.y += scale * y;
  return moved;
}

// Share of the variance across the line that the known sampling error makes up.
double KnownShare(const Points& points, Direction line) {
  double known = 0, total = 0;
  for (std::size_t k = 0; k < points.points.size(); ++k) {
    const ErrorPoint& p = points.points[k];
    const double cc = line.cosine * line.cosine, ss = line.sine * line.sine;
    const double cross = 2 * line.sine * line.cosine * p.covariance;
    total += cc * p.variance_y + ss * p.variance_x - cross;
    known += cc * points.known_y[k] + ss * points.known_x[k] -
             (points.known_x[k] > 0 && points.known_y[k] > 0 ? cross : 0);
  }
  return std::clamp(known / total, 0.0, 1.0);
}

// Noise beyond sampling error: residuals to draw from, and how much of them counts.
struct CheckpointNoise {
  std::vector<double> residuals;  // standardised
  double dof = 0;
  double variance = 0;  // beyond sampling error, in units of the points' own variance
  double share = 0;     // of the residuals' variance
  double scale = 0;     // residuals are multiplied by it
  bool is_curved = false;
};

double MeanSquare(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum / static_cast<double>(values.size());
}

CheckpointNoise MeasureCheckpointNoise(const Points& points, const YorkFit& fit,
                                       const VectorXd& positions) {
  CheckpointNoise noise{.residuals = fit.standardized, .dof = static_cast<double>(fit.dof)};
  if (fit.dof < 1 || fit.chi_squared <= 0) return noise;
  double reduced = fit.chi_squared / fit.dof;
  constexpr std::size_t kFewestForCurve = 6;
  constexpr double kCurved = 4;
  if (noise.residuals.size() >= kFewestForCurve) {
    const auto places = static_cast<Index>(fit.standardized.size());
    std::vector<double> rough =
        RoughPart(Eigen::Map<const VectorXd>(fit.standardized.data(), places), positions);
    const double rough_square = MeanSquare(rough);
    if (rough_square > 0 && reduced > kCurved * rough_square) {
      noise.is_curved = true;
      noise.dof = RoughDof(static_cast<double>(rough.size()));
      noise.residuals = std::move(rough);
      reduced = rough_square;
    }
  }
  noise.share = std::max(0.0, 1 - KnownShare(points, fit.direction) / reduced);
  noise.variance = noise.share * reduced;
  noise.scale = std::sqrt(noise.variance / MeanSquare(noise.residuals));
  return noise;
}

// Circular blocks of about K^(1/3) neighbouring residuals, each with a random sign, widened to
// Student's tails.
void DrawResiduals(const CheckpointNoise& noise, Random& random, std::vector<double>& drawn) {
  const std::size_t places = drawn.size(), known = noise.residuals.size();
  const auto block = static_cast<std::size_t>(std::lround(std::cbrt(places)));
  const double scale = noise.scale * std::sqrt(noise.dof / random.ChiSquared(noise.dof));
  for (std::size_t first = 0; first < places; first += block) {
    const std::size_t start = random.Index(known);
    const double signed_scale = random.Index(2) == 0 ? scale : -scale;
    for (std::size_t k = first; k < std::min(first + block, places); ++k) {
      drawn[k] = signed_scale * noise.residuals[(start + k - first) % known];
    }
  }
}

struct Replicates {
  std::vector<double> angles;  // deviation from the fitted line's, isotropic coordinates, radians
  std::vector<double> slopes;
  std::vector<double> simple;
};

double SimpleSlope(std::span<const ErrorPoint> points) {
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(points.size());
  for (const ErrorPoint& p : points) mean_x += p.x / n, mean_y += p.y / n;
  for (const ErrorPoint& p : points) {
    xx += (p.x - mean_x) * (p.x - mean_x);
    xy += (p.x - mean_x) * (p.y - mean_y);
  }
  return xx > 0 ? xy / xx : kInfinity;
}

// Standard deviation of an average point across, over that along: what makes the error isotropic.
double Anisotropy(std::span<const ErrorPoint> points) {
  double x = 0, y = 0;
  for (const ErrorPoint& p : points) x += p.variance_x, y += p.variance_y;
  return std::sqrt(y / x);
}

double AngleOf(Direction line, double anisotropy) {
  return std::atan2(line.sine / anisotropy, line.cosine);
}

// Lines have no sense: angles are equal modulo π.
double WrapHalfTurn(double angle) {
  return angle - std::numbers::pi * std::round(angle / std::numbers::pi);
}

Replicates DrawReplicates(const WindowInput& input, const Points& points, const YorkFit& fit,
                          const CheckpointNoise& noise, Random& random) {
  const ScoreSample& sample = input.sample;
  const double anisotropy = Anisotropy(points.points);
  const double fitted_angle = AngleOf(fit.direction, anisotropy);
  std::vector<ErrorPoint> base = points.points;
  for (std::size_t k = 0; k < base.size() && !noise.is_curved; ++k) {
    base[k] = Displaced(points.points[k], fit.direction, -fit.standardized[k]);
  }
  Replicates replicates;
  std::vector<ErrorPoint> drawn(base.size());
  std::vector<double> residuals(base.size(), 0.0);
  for (Index b = 0; b < sample.Replicates(); ++b) {
    if (noise.scale > 0) DrawResiduals(noise, random, residuals);
    for (std::size_t k = 0; k < drawn.size(); ++k) {
      drawn[k] = noise.scale > 0 ? Displaced(base[k], fit.direction, residuals[k]) : base[k];
      drawn[k].x += sample.reasoning.draws(b, static_cast<Index>(k));
      drawn[k].y += sample.truthfulness.draws(b, static_cast<Index>(k));
    }
    const Direction line = YorkDirection(drawn, fit.direction);
    replicates.angles.push_back(WrapHalfTurn(AngleOf(line, anisotropy) - fitted_angle));
    replicates.slopes.push_back(line.cosine == 0 ? kInfinity : line.sine / line.cosine);
    replicates.simple.push_back(SimpleSlope(drawn));
  }
  return replicates;
}

// The slopes that an interval of angles holds; everything where it holds the vertical.
Interval SlopeInterval(double fitted_angle, Interval deviation, double anisotropy) {
  const double low = fitted_angle + deviation.low, high = fitted_angle + deviation.high;
  constexpr double kQuarterTurn = std::numbers::pi / 2;
  if (low <= -kQuarterTurn || high >= kQuarterTurn) return {-kInfinity, kInfinity};
  return {std::tan(low) * anisotropy, std::tan(high) * anisotropy};
}

AxisMovement MeasureMovement(const AxisSample& axis, const VectorXd& positions,
                             double checkpoint_variance, double noise_dof, double level) {
  const VectorXd contrast = TrendContrast(positions);
  const double sampling = contrast.dot(axis.covariance * contrast);
  const double checkpoint = checkpoint_variance * contrast.squaredNorm();
  const double total = sampling + checkpoint;
  // Welch-Satterthwaite: only the checkpoint part rests on few degrees of freedom.
  const double dof = checkpoint > 0 && noise_dof > 0
                         ? noise_dof * total * total / (checkpoint * checkpoint)
                         : kInfinity;
  AxisMovement movement{.change = contrast.dot(axis.scores),
                        .standard_error = std::sqrt(std::max(total, 0.0)),
                        .critical = StudentCritical(level, dof)};
  movement.is_significant =
      std::abs(movement.change) > movement.critical * movement.standard_error &&
      movement.change != 0;
  return movement;
}

// Every score within noise of a value. Bonferroni over the places, since one clear score is enough.
bool AllNear(const AxisSample& axis, double value, double checkpoint_variance, double level) {
  if (axis.source == NoiseSource::kUnknown) return false;
  const Index places = axis.scores.size();
  const double critical = NormalCritical(1 - (1 - level) / static_cast<double>(places));
  for (Index k = 0; k < places; ++k) {
    const double quantum = axis.items > 0 ? 1.0 / axis.items : 0;
    const double error = std::max(std::sqrt(axis.covariance(k, k) + checkpoint_variance), quantum);
    if (std::abs(axis.scores[k] - value) > critical * error) return false;
  }
  return true;
}

double MeanVariance(const std::vector<ErrorPoint>& points, double ErrorPoint::*variance) {
  double sum = 0;
  for (const ErrorPoint& p : points) sum += p.*variance;
  return sum / static_cast<double>(points.size());
}

CouplingDiagnostics Diagnose(const WindowInput& input, const Points& points, const YorkFit& fit,
                             const CheckpointNoise& noise, double level) {
  const double noise_x = noise.variance * MeanVariance(points.points, &ErrorPoint::variance_x);
  const double noise_y = noise.variance * MeanVariance(points.points, &ErrorPoint::variance_y);
  const ScoreSample& sample = input.sample;
  CouplingDiagnostics seen{
      .reasoning = MeasureMovement(sample.reasoning, input.positions, noise_x, noise.dof, level),
      .truthfulness =
          MeasureMovement(sample.truthfulness, input.positions, noise_y, noise.dof, level),
      .intercept = fit.intercept,
      .chi_squared = fit.chi_squared,
      .dof = fit.dof,
      .checkpoint_noise = noise.share,
      .is_curved = noise.is_curved,
      .simple_slope = SimpleSlope(points.points)};
  const auto guard = [&](const AxisSample& axis, std::optional<double> chance, double variance,
                         AxisMovement& movement) {
    movement.is_near_chance = chance && AllNear(axis, *chance, variance, level);
    movement.is_at_ceiling = AllNear(axis, 1, variance, level);
  };
  guard(sample.reasoning, input.reasoning_chance, noise_x, seen.reasoning);
  guard(sample.truthfulness, input.truthfulness_chance, noise_y, seen.truthfulness);
  return seen;
}

// What would shrink the errors by `factor` in standard deviation. Items shrink sampling error, more
// places shrink checkpoint noise; the one that can do it alone is named, else both.
std::string WhatWouldSettle(const WindowInput& input, const CheckpointNoise& noise, double factor) {
  const ScoreSample& sample = input.sample;
  const auto places = static_cast<double>(sample.Places());
  const int items = std::max(sample.reasoning.items, sample.truthfulness.items);
  const double wanted = 1 / (factor * factor);  // of the present variance
  const double checkpoint = noise.share, sampling = 1 - noise.share;
  const bool has_sampling_error = sample.reasoning.source != NoiseSource::kUnknown ||
                                  sample.truthfulness.source != NoiseSource::kUnknown;
  if (factor >= 10) {
    return fmt::format(
        "it would take over 100 times the data to settle it; a longer window may do");
  }
  if (has_sampling_error && wanted > checkpoint) {
    const double more = sampling / (wanted - checkpoint);
    return items > 0 ? fmt::format("about {:.0f} items per axis (now {}) would settle it",
                                   items * more, items)
                     : fmt::format("about {:.1f} times the items would settle it", more);
  }
  if (wanted > sampling && checkpoint > 0) {
    return fmt::format("about {:.0f} {}s like these (now {:.0f}) would settle it",
                       std::ceil(places * checkpoint / (wanted - sampling)), input.place_noun,
                       places);
  }
  return fmt::format("about {:.1f} times the {}s{} would settle it", factor * factor,
                     input.place_noun, has_sampling_error ? " and items" : "");
}

std::string_view AxisProblem(const AxisMovement& movement) {
  if (movement.is_near_chance) return "within noise of chance";
  if (movement.is_at_ceiling) return "within noise of its ceiling";
  return {};
}

std::string WhyNoPhase(const WindowInput& input, const WindowEstimate& estimate,
                       const CheckpointNoise& noise, const PhaseBounds& bounds) {
  const AxisMovement& reasoning = estimate.diagnostics.reasoning;
  for (const auto& [name, movement] :
       {std::pair{"reasoning", &reasoning},
        std::pair{"truthfulness", &estimate.diagnostics.truthfulness}}) {
    if (const std::string_view problem = AxisProblem(*movement); !problem.empty()) {
      return fmt::format("{} is {} at every {} of the window: no coupling is claimed from it", name,
                         problem, input.place_noun);
    }
  }
  if (!reasoning.is_significant) {
    if (reasoning.change == 0) return "reasoning did not move over the window";
    const double noise_width = reasoning.critical * reasoning.standard_error;
    return fmt::format(
        "reasoning moved by {:+.2f} points over the window, within its noise of ±{:.2f}; {}",
        100 * reasoning.change, 100 * noise_width,
        WhatWouldSettle(input, noise, noise_width / std::abs(reasoning.change)));
  }
  if (std::isinf(*estimate.low)) {
    return "the interval of γ is unbounded: reasoning moved too little for a ratio; a longer "
           "window or more items are needed";
  }
  const double half_width =
      std::max(*estimate.gamma - *estimate.low, *estimate.high - *estimate.gamma);
  const double distance = DistanceToBound(*estimate.gamma, bounds);
  const std::string spans = fmt::format("the interval [{:+.2f}, {:+.2f}] spans more than one phase",
                                        *estimate.low, *estimate.high);
  if (distance < std::min(0.02, half_width / 10)) {
    return fmt::format("{}; γ lies {:.3f} from a bound, too close for more data to settle soon",
                       spans, distance);
  }
  return spans + "; " + WhatWouldSettle(input, noise, half_width / distance);
}

bool MayClaim(const CouplingDiagnostics& seen) {
  return seen.reasoning.is_significant && AxisProblem(seen.reasoning).empty() &&
         AxisProblem(seen.truthfulness).empty();
}

}  // namespace

WindowEstimate EstimateWindow(const WindowInput& input, double level, const PhaseBounds& bounds,
                              std::uint64_t seed) {
  WindowEstimate estimate;
  const VectorXd& reasoning = input.sample.reasoning.scores;
  if ((reasoning.array() == reasoning[0]).all()) {
    estimate.reason =
        fmt::format("reasoning has the same score at every {} of the window", input.place_noun);
    return estimate;
  }
  const Points points = MakePoints(input);
  const auto fit = FitYork(points.points);
  if (!fit) {
    estimate.reason = fit.error().Text();
    return estimate;
  }
  Random random(seed);
  const CheckpointNoise noise = MeasureCheckpointNoise(points, *fit, input.positions);
  estimate.diagnostics = Diagnose(input, points, *fit, noise, level);
  const Replicates replicates = DrawReplicates(input, points, *fit, noise, random);
  const double anisotropy = Anisotropy(points.points);
  const Interval interval = SlopeInterval(AngleOf(fit->direction, anisotropy),
                                          CentralInterval(replicates.angles, level), anisotropy);
  const Interval simple = CentralInterval(replicates.simple, level);
  estimate.diagnostics.simple_low = simple.low;
  estimate.diagnostics.simple_high = simple.high;
  estimate.diagnostics.replicates = replicates.slopes;
  if (std::isfinite(fit->slope)) estimate.gamma = fit->slope;
  estimate.low = interval.low;
  estimate.high = interval.high;
  const PhaseShares shares = SharesOfPhases(replicates.slopes, bounds);
  estimate.p_tax = shares.tax;
  estimate.p_bonus = shares.bonus;
  if (MayClaim(estimate.diagnostics)) {
    estimate.phase = ClassifyPhase(interval.low, interval.high, bounds);
  }
  if (estimate.phase == Phase::kUndetermined) {
    estimate.reason = WhyNoPhase(input, estimate, noise, bounds);
  }
  return estimate;
}

}  // namespace couplingd
