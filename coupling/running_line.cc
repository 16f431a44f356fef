#include "coupling/running_line.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "coupling/critical_scale.h"
#include "coupling/fieller.h"
#include "coupling/forecast_places.h"
#include "coupling/statistics.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

VectorXd Differences(const VectorXd& values) {
  return values.tail(values.size() - 1) - values.head(values.size() - 1);
}

VectorXd MeansOfNeighbours(const VectorXd& values) {
  return (values.tail(values.size() - 1) + values.head(values.size() - 1)) / 2;
}

// ΔT = (A·x + B)·ΔR by least squares.
RunningLine FitWithoutRatio(const VectorXd& x, const VectorXd& reasoning,
                            const VectorXd& truthfulness) {
  Eigen::MatrixXd terms(x.size(), 2);
  terms << x.cwiseProduct(reasoning), reasoning;
  const VectorXd line = terms.colPivHouseholderQr().solve(truthfulness);
  return {line[0], line[1]};
}

VectorXd Predicted(const RunningLine& line, const VectorXd& x, const VectorXd& reasoning) {
  return (line.slope * x.array() + line.intercept).matrix().cwiseProduct(reasoning);
}

// Mean sampling variance of ΔT − γ(x)·ΔR.
double KnownVariance(const ScoreSample& sample, const RunningLine& line, const VectorXd& x) {
  if (sample.reasoning.source == NoiseSource::kUnknown ||
      sample.truthfulness.source == NoiseSource::kUnknown) {
    return 0;
  }
  const auto difference = [](const Eigen::MatrixXd& c, Index j) {
    return c(j, j) + c(j + 1, j + 1) - c(j, j + 1) - c(j + 1, j);
  };
  double sum = 0;
  for (Index j = 0; j < x.size(); ++j) {
    const double gamma = line.slope * x[j] + line.intercept;
    sum += difference(sample.truthfulness.covariance, j) +
           gamma * gamma * difference(sample.reasoning.covariance, j) -
           2 * gamma * difference(sample.cross, j);
  }
  return sum / static_cast<double>(x.size());
}

// True where the lines (intercept, slope) of the replicates leave the zero of γ without an end:
// Fieller's set of −intercept/slope is no interval.
bool IsUnbounded(const RunningLine& line, const Eigen::MatrixX2d& replicates, double level,
                 int dof) {
  const Eigen::MatrixX2d centred = replicates.rowwise() - replicates.colwise().mean();
  const Eigen::Matrix2d covariance =
      centred.transpose() * centred / static_cast<double>(replicates.rows() - 1);
  const auto set = FiellerInterval({.numerator = -line.intercept,
                                    .denominator = line.slope,
                                    .variance_numerator = covariance(0, 0),
                                    .variance_denominator = covariance(1, 1),
                                    .covariance = -covariance(0, 1)},
                                   StudentCritical(level, dof));
  return !set || set->shape != FiellerShape::kInterval;
}

// The zero of γ between the pairs before and after the least truthfulness.
std::optional<double> TurnPlace(const VectorXd& positions, const VectorXd& reasoning,
                                const VectorXd& truthfulness) {
  Index least = 0;
  truthfulness.minCoeff(&least);
  if (least == 0 || least + 1 == positions.size()) return std::nullopt;
  const auto gamma = [&](Index k) {
    return (truthfulness[k + 1] - truthfulness[k]) / (reasoning[k + 1] - reasoning[k]);
  };
  const double before = gamma(least - 1), after = gamma(least);
  if (!(before < 0 && after > 0) || !std::isfinite(before) || !std::isfinite(after)) {
    return std::nullopt;
  }
  const double left = (positions[least - 1] + positions[least]) / 2;
  const double right = (positions[least] + positions[least + 1]) / 2;
  return left + (right - left) * before / (before - after);
}

// log10 N_c of the line through the drawn pairs, by its two normal equations; absent with one
// distinct position or a level line.
std::optional<double> CrossingOf(const std::vector<PairCoupling>& pairs,
                                 const std::vector<std::size_t>& drawn) {
  if (drawn.empty()) return std::nullopt;
  const double origin = pairs[drawn[0]].position;
  double u = 0, v = 0, uu = 0, uv = 0;
  for (const std::size_t k : drawn) {
    const double at = pairs[k].position - origin;
    u += at;
    v += pairs[k].gamma;
    uu += at * at;
    uv += at * pairs[k].gamma;
  }
  const auto n = static_cast<double>(drawn.size());
  const double spread = uu - u * u / n, slope = uv - u * v / n;  // times n − 1
  if (!(spread > 1e-12 * uu) || slope == 0) return std::nullopt;
  return origin + u / n - v / n * spread / slope;
}

}  // namespace

std::vector<PairCoupling> ConsecutiveCouplings(const VectorXd& x, const VectorXd& reasoning,
                                               const VectorXd& truthfulness, double least_change) {
  std::vector<Index> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](Index k) { return x[k]; });
  std::vector<PairCoupling> pairs;
  for (std::size_t k = 1; k < order.size(); ++k) {
    const Index from = order[k - 1], to = order[k];
    const double change = reasoning[to] - reasoning[from];
    if (std::abs(change) <= least_change || change == 0) continue;
    pairs.push_back({(x[from] + x[to]) / 2, (truthfulness[to] - truthfulness[from]) / change});
  }
  return pairs;
}

std::optional<double> RunningLine::Crossing() const {
  if (slope == 0) return std::nullopt;
  return -intercept / slope;
}

Result<RunningLine> FitRunningLine(const std::vector<PairCoupling>& pairs) {
  VectorXd x(static_cast<Index>(pairs.size())), gamma(x.size());
  for (Index k = 0; k < x.size(); ++k) {
    x[k] = pairs[k].position;
    gamma[k] = pairs[k].gamma;
  }
  const Polynomial line = TRY(FitPolynomial(x, gamma, 1));
  return RunningLine{line.coefficients[1],
                     line.coefficients[0] - line.coefficients[1] * line.centre};
}

Result<Jackknife> JackknifeRunningLine(const std::vector<PairCoupling>& pairs) {
  std::vector<double> crossings;
  for (std::size_t left_out = 0; left_out < pairs.size(); ++left_out) {
    std::vector<PairCoupling> rest = pairs;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(left_out));
    const auto crossing = TRY(FitRunningLine(rest)).Crossing();
    if (!crossing) return Fail(ErrorKind::kInvalidData, "without one pair the line is level");
    crossings.push_back(std::pow(10, *crossing));
  }
  return JackknifeOf(crossings);
}

CrossingSample ResampleRunningLine(const std::vector<PairCoupling>& pairs, const Horizon& horizon,
                                   int replicates, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::size_t> drawn(pairs.size());
  CrossingSample sample;
  for (int b = 0; b < replicates; ++b) {
    for (std::size_t& pair : drawn) pair = random.Index(pairs.size());
    sample.Add(CrossingOf(pairs, drawn), horizon);
  }
  return sample;
}

Result<Forecast> ForecastByLine(const AxisSeries& series, CouplingOver over,
                                const ForecastOptions& options) {
  ForecastPlaces places = TRY(MakePlaces(series, over, "line", options));
  if (!places.forecast.reason.empty()) return places.forecast;
  const ScoreSample& scores = places.sample;
  const VectorXd x = MeansOfNeighbours(places.positions);
  const VectorXd reasoning = Differences(scores.reasoning.scores);
  const RunningLine line = FitWithoutRatio(x, reasoning, Differences(scores.truthfulness.scores));
  const VectorXd smooth = Predicted(line, x, reasoning);
  const ResidualNoise noise(Differences(scores.truthfulness.scores) - smooth,
                            static_cast<int>(x.size()) - 2, KnownVariance(scores, line, x));
  Random random(options.seed);
  CrossingSample sample;
  Eigen::MatrixX2d lines(scores.Replicates(), 2);
  for (Index b = 0; b < scores.Replicates(); ++b) {
    const VectorXd moved_reasoning =
        reasoning + Differences(scores.reasoning.draws.row(b).transpose());
    const VectorXd moved_truthfulness =
        smooth + Differences(scores.truthfulness.draws.row(b).transpose()) + noise.Draw(random);
    const RunningLine moved = FitWithoutRatio(x, moved_reasoning, moved_truthfulness);
    lines.row(b) << moved.intercept, moved.slope;
    sample.Add(moved.Crossing(), places.horizon);
  }
  FillForecast(sample, places.forecast);
  if (places.forecast.value &&
      IsUnbounded(line, lines, places.forecast.level, static_cast<int>(x.size()) - 2)) {
    places.forecast.reason =
        "Fieller's set has no end: the slope of γ is not told from 0, it may never cross";
  }
  return places.forecast;
}

Result<Forecast> ForecastByTurn(const AxisSeries& series, const ForecastOptions& options) {
  ForecastPlaces places = TRY(MakePlaces(series, CouplingOver::kScale, "line-local", options));
  if (!places.forecast.reason.empty()) return places.forecast;
  const ScoreSample& scores = places.sample;
  if (scores.truthfulness.source == NoiseSource::kUnknown ||
      scores.reasoning.source == NoiseSource::kUnknown) {
    places.forecast.reason =
        "the zero between two pairs needs the items or a standard error of both axes";
    return places.forecast;
  }
  CrossingSample sample;
  for (Index b = 0; b < scores.Replicates(); ++b) {
    sample.Add(TurnPlace(places.positions,
                         scores.reasoning.scores + scores.reasoning.draws.row(b).transpose(),
                         scores.truthfulness.scores + scores.truthfulness.draws.row(b).transpose()),
               places.horizon);
  }
  FillForecast(sample, places.forecast);
  if (places.forecast.value) {
    places.forecast.reason =
        "the interval holds sampling error only; what another training seed gives is not in it";
  }
  return places.forecast;
}

}  // namespace couplingd
