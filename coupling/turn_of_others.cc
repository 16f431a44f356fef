#include "coupling/turn_of_others.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "coupling/crossing.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

constexpr std::size_t kFewestFamilies = 3;
constexpr Index kFewestIntervals = 4;
constexpr double kLeastRate = 1e-3;  // of reasoning per decade, where it hardly rises

struct Family {
  VectorXd level, reasoning, truthfulness;  // of every interval: the middle, and the changes
  double Weight() const { return reasoning.squaredNorm(); }
};

Result<Family> IntervalsOf(const AxisSeries& series) {
  const std::vector<AxisObservation> sizes = TRY(SizesInOrder(series));
  const auto count = std::max<Index>(static_cast<Index>(sizes.size()) - 1, 0);
  Family family{VectorXd(count), VectorXd(count), VectorXd(count)};
  for (Index k = 0; k < count; ++k) {
    const double from = ReasoningScore(sizes[k]), to = ReasoningScore(sizes[k + 1]);
    family.level[k] = (from + to) / 2;
    family.reasoning[k] = to - from;
    family.truthfulness[k] = TruthfulnessScore(sizes[k + 1]) - TruthfulnessScore(sizes[k]);
  }
  return family;
}

using Families = std::vector<const Family*>;

// γ = slope · level + constant.
struct CouplingLine {
  double slope = 0, constant = 0;
  double variance = 0;  // of what is left of ΔT

  VectorXd Left(const Family& of) const {
    return of.truthfulness.array() - (slope * of.level.array() + constant) * of.reasoning.array();
  }
  // Of the constant, for one family.
  double Departure(const Family& of) const { return of.reasoning.dot(Left(of)) / of.Weight(); }
};

CouplingLine FitCouplingLine(const Families& families) {
  Eigen::Matrix2d normal = Eigen::Matrix2d::Zero();
  Eigen::Vector2d right = Eigen::Vector2d::Zero();
  Index rows = 0;
  for (const Family* family : families) {
    const VectorXd tilted = family->level.cwiseProduct(family->reasoning);
    normal(0, 0) += tilted.squaredNorm();
    normal(0, 1) += tilted.dot(family->reasoning);
    normal(1, 1) += family->Weight();
    right += Eigen::Vector2d(tilted.dot(family->truthfulness),
                             family->reasoning.dot(family->truthfulness));
    rows += family->level.size();
  }
  normal(1, 0) = normal(0, 1);
  const Eigen::Vector2d found = normal.colPivHouseholderQr().solve(right);
  CouplingLine line{.slope = found[0], .constant = found[1]};
  for (const Family* family : families) line.variance += line.Left(*family).squaredNorm();
  line.variance /= static_cast<double>(std::max<Index>(rows - 2, 1));
  return line;
}

double VarianceBetween(const CouplingLine& line, const Families& families) {
  double weighted = 0, weights = 0;
  for (const Family* family : families) {
    const double departure = line.Departure(*family);
    weighted += family->Weight() * departure * departure;
    weights += family->Weight();
  }
  return std::max(0.0, (weighted - static_cast<double>(families.size()) * line.variance) / weights);
}

// log10 N at which the reasoning of a family reaches a level.
double Reaches(const VectorXd& positions, const VectorXd& reasoning, double level) {
  Index k = 0;
  while (k + 2 < positions.size() && reasoning[k + 1] < level) ++k;
  const double rate = (reasoning[k + 1] - reasoning[k]) / (positions[k + 1] - positions[k]);
  return positions[k] + (level - reasoning[k]) / std::max(rate, kLeastRate);
}

// The level of reasoning at which γ of a further family is 0; absent where γ does not rise.
std::optional<double> DrawLevel(const Families& all, Random& random) {
  Families drawn(all.size());
  for (auto& one : drawn) one = all[random.Index(all.size())];
  const CouplingLine line = FitCouplingLine(drawn);
  const Family& like = *drawn[random.Index(drawn.size())];
  const double between = VarianceBetween(line, drawn);
  const double share = between > 0 ? between / (between + line.variance / like.Weight()) : 0;
  if (!(line.slope > 0)) return {};
  return -(line.constant + std::sqrt(share) * line.Departure(like)) / line.slope;
}

}  // namespace

Result<Forecast> ForecastByOthers(const std::vector<AxisSeries>& others, const AxisSeries& series,
                                  const ForecastOptions& options) {
  const std::vector<AxisObservation> sizes = TRY(SizesInOrder(series));
  Forecast forecast{.family = series.family,
                    .axes = series.AxesText(),
                    .quantity = "N_c",
                    .method = "others",
                    .level = series.axes.level,
                    .n = static_cast<int>(sizes.size())};
  std::vector<Family> families;
  Index intervals = 0;
  for (const AxisSeries& other : others) {
    Family family = TRY(IntervalsOf(other));
    intervals += family.level.size();
    if (family.level.size() > 0 && family.Weight() > 0) families.push_back(std::move(family));
  }
  if (sizes.size() < 2 || families.size() < kFewestFamilies || intervals < kFewestIntervals) {
    forecast.reason =
        fmt::format("{} sizes and {} other families with both axes; 2 and {} are needed",
                    sizes.size(), families.size(), kFewestFamilies);
    return forecast;
  }
  VectorXd positions(forecast.n), reasoning(forecast.n);
  for (Index k = 0; k < positions.size(); ++k) {
    positions[k] = std::log10(*sizes[k].parameters);
    reasoning[k] = ReasoningScore(sizes[k]);
  }
  forecast.observed = *sizes.back().parameters;
  forecast.horizon_low = options.horizon_low.value_or(*sizes.front().parameters);
  forecast.horizon_high = options.horizon_high.value_or(10 * *forecast.observed);
  const Horizon horizon{std::log10(forecast.horizon_low), std::log10(forecast.horizon_high)};
  Families all;
  for (const Family& family : families) all.push_back(&family);
  Random random(options.seed);
  CrossingSample sample;
  for (int b = 0; b < options.replicates; ++b) {
    const std::optional<double> level = DrawLevel(all, random);
    sample.Add(level ? std::optional(Reaches(positions, reasoning, *level)) : std::nullopt,
               horizon);
  }
  FillForecast(sample, forecast);
  return forecast;
}

}  // namespace couplingd
