#include "coupling/score_forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "coupling/statistics.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr Index kLeastSeen = 2;  // places that the earliest past forecast is made from

// Forecasts of places that are known.
struct PastForecasts {
  MatrixXd errors;           // forecasts × methods, NaN where a method did not apply
  VectorXd distances;        // log10
  std::vector<Index> group;  // trajectory that was forecast
  Index Count() const { return errors.rows(); }
};

struct Case {
  Index group;  // index into the pool; its size for `own`
  Index seen, target;
  double distance;
};

VectorXd GuessAll(const ScoreQuestion& question) {
  const auto methods = ScoreMethods();
  VectorXd guesses(static_cast<Index>(methods.size()));
  for (Index m = 0; m < guesses.size(); ++m) {
    const auto guess = methods[m].guess(question);
    guesses[m] = guess && std::isfinite(*guess) ? *guess : kNone;
  }
  return guesses;
}

class PastForecaster {
 public:
  PastForecaster(std::span<const ScoreTrajectory> pool, const ScoreTrajectory& own, double at,
                 Index axis, const ScoreForecastOptions& options)
      : pool_(pool),
        own_(own),
        axis_(axis),
        options_(options),
        distance_(at - own.positions[own.positions.size() - 1]) {}

  PastForecasts Run() const {
    const std::vector<Case> cases = Choose();
    PastForecasts past{.errors = MatrixXd(static_cast<Index>(cases.size()),
                                          static_cast<Index>(ScoreMethods().size())),
                       .distances = VectorXd(static_cast<Index>(cases.size()))};
    std::vector<ScoreTrajectory> others;
    Index without = -1;
    for (Index c = 0; c < past.Count(); ++c) {
      const Case& of = cases[c];
      if (of.group != without) {
        others = Without(of.group);
        without = of.group;
      }
      const ScoreTrajectory& trajectory = Of(of.group);
      const double target = trajectory.scores(of.target, axis_);
      past.errors.row(c) =
          (GuessAll({others, trajectory, of.seen, trajectory.positions[of.target], axis_}).array() -
           target)
              .matrix()
              .transpose();
      past.distances[c] = of.distance;
      past.group.push_back(of.group);
    }
    return past;
  }

 private:
  const ScoreTrajectory& Of(Index group) const {
    return group == static_cast<Index>(pool_.size()) ? own_ : pool_[group];
  }
  std::vector<ScoreTrajectory> Without(Index group) const {
    std::vector<ScoreTrajectory> others;
    for (Index g = 0; g < static_cast<Index>(pool_.size()); ++g) {
      if (g != group) others.push_back(pool_[g]);
    }
    return others;
  }

  // Like with like: as far ahead within a factor of two, and from places nearby, where that leaves
  // enough of them.
  std::vector<Case> Choose() const {
    constexpr std::size_t kEnough = 20;
    std::vector<Case> cases = All();
    if (options_.next_place) return cases;
    const double here = own_.positions[own_.positions.size() - 1];
    const auto keep = [&](auto matches) {
      std::vector<Case> kept;
      std::ranges::copy_if(cases, std::back_inserter(kept), matches);
      if (kept.size() >= kEnough) cases = std::move(kept);
    };
    keep([&](const Case& c) { return c.distance > distance_ / 2 && c.distance < distance_ * 2; });
    keep([&](const Case& c) { return std::abs(Of(c.group).positions[c.seen - 1] - here) <= 0.5; });
    return cases;
  }

  std::vector<Case> All() const {
    std::vector<Case> cases;
    for (Index group = 0; group <= static_cast<Index>(pool_.size()); ++group) {
      const VectorXd& x = Of(group).positions;
      for (Index seen = kLeastSeen; seen < x.size(); ++seen) {
        Index target = seen;
        if (!options_.next_place) {
          (x.tail(x.size() - seen).array() - x[seen - 1] - distance_).abs().minCoeff(&target);
          target += seen;
        }
        const double distance = x[target] - x[seen - 1];
        if (distance > 1e-9) cases.push_back({group, seen, target, distance});
      }
    }
    return cases;
  }

  std::span<const ScoreTrajectory> pool_;
  const ScoreTrajectory& own_;
  const Index axis_;
  const ScoreForecastOptions& options_;
  const double distance_;
};

// Mean absolute error of a method over the rows that `use`; infinite where it mostly did not apply.
template <typename Use>
double MeanError(const PastForecasts& past, Index method, Use use) {
  double sum = 0;
  Index count = 0, rows = 0;
  for (Index c = 0; c < past.Count(); ++c) {
    if (!use(c)) continue;
    ++rows;
    if (std::isnan(past.errors(c, method))) continue;
    sum += std::abs(past.errors(c, method));
    ++count;
  }
  if (count == 0 || 2 * count < rows) return std::numeric_limits<double>::infinity();
  return std::max(sum / static_cast<double>(count), 1e-6);
}

template <typename Use>
VectorXd Weights(const PastForecasts& past, const VectorXd& guesses, Use use) {
  VectorXd weights(guesses.size());
  for (Index m = 0; m < weights.size(); ++m) {
    weights[m] = std::isnan(guesses[m]) ? 0 : std::pow(MeanError(past, m, use), -4);
  }
  const double sum = weights.sum();
  return sum > 0 ? (weights / sum).eval() : weights;
}

// Mean of what is there; NaN where nothing is.
double Combine(const VectorXd& weights, const VectorXd& values) {
  double sum = 0, weight = 0;
  for (Index m = 0; m < values.size(); ++m) {
    if (std::isnan(values[m]) || weights[m] == 0) continue;
    sum += weights[m] * values[m];
    weight += weights[m];
  }
  return weight > 0 ? sum / weight : kNone;
}

// Errors of the weighted mean, its weights learnt from the other trajectories each time; where
// there is but one trajectory, from its other forecasts.
VectorXd EnsembleErrors(const PastForecasts& past, const VectorXd& guesses) {
  VectorXd errors(past.Count());
  VectorXd weights;
  const bool is_alone = past.Count() > 0 && past.group.front() == past.group.back();
  for (Index c = 0; c < past.Count(); ++c) {
    if (is_alone || c == 0 || past.group[c] != past.group[c - 1]) {
      weights = Weights(past, guesses, [&](Index k) {
        return is_alone ? k != c : past.group[k] != past.group[c];
      });
    }
    errors[c] = Combine(weights, past.errors.row(c).transpose());
  }
  return errors;
}

double MeanSize(const VectorXd& errors) {
  double sum = 0;
  Index count = 0;
  for (const double error : errors) {
    if (std::isnan(error)) continue;
    sum += std::abs(error);
    ++count;
  }
  return sum / static_cast<double>(count);
}

// Baselines that apply here and applied to every past forecast, so that all are compared on the
// same ones.
std::vector<Index> ComparableBaselines(const PastForecasts& past, const VectorXd& guesses,
                                       const VectorXd& ensemble) {
  std::vector<Index> comparable;
  for (Index m = 0; m < guesses.size(); ++m) {
    if (!ScoreMethods()[m].is_baseline || std::isnan(guesses[m])) continue;
    if (!past.errors.col(m).hasNaN() && !ensemble.hasNaN()) comparable.push_back(m);
  }
  return comparable;
}

ScoreCandidate Compare(Index method, double guess, const VectorXd& errors,
                       const VectorXd& ensemble) {
  const VectorXd over = errors.cwiseAbs() - ensemble.cwiseAbs();
  const auto n = static_cast<double>(over.size());
  return {
      .method = std::string(ScoreMethods()[method].name),
      .value = std::clamp(guess, 0.0, 1.0),
      .past_error = MeanSize(errors),
      .over_ensemble = over.mean(),
      .over_ensemble_error = std::sqrt((over.array() - over.mean()).square().sum() / n / (n - 1))};
}

// What is used, and everything that follows from it.
struct Choice {
  std::vector<ScoreCandidate> candidates;
  std::size_t used = 0;
  VectorXd errors;   // past ones that the interval rests on
  VectorXd weights;  // of the methods
  std::string text;
};

void UseBestBaseline(const PastForecasts& past, const VectorXd& guesses, const VectorXd& ensemble,
                     Choice& choice) {
  std::size_t best = 0;
  Index method = 0;
  for (const Index m : ComparableBaselines(past, guesses, ensemble)) {
    choice.candidates.push_back(Compare(m, guesses[m], past.errors.col(m), ensemble));
    if (best > 0 && choice.candidates[best].past_error <= choice.candidates.back().past_error) {
      continue;
    }
    best = choice.candidates.size() - 1;
    method = m;
  }
  if (best == 0) {
    choice.text = "no simple baseline applies to all of the past forecasts";
    return;
  }
  const ScoreCandidate& baseline = choice.candidates[best];
  const bool is_better = baseline.over_ensemble < 0;
  choice.text = fmt::format(
      "{} past forecasts like it: {} missed by {:.2f} points, the ensemble by {:.2f}; {}",
      past.Count(), baseline.method, 100 * baseline.past_error,
      100 * choice.candidates[0].past_error,
      is_better ? "the simple baseline is used" : "no simple baseline is better");
  if (!is_better) return;
  choice.used = best;
  choice.errors = past.errors.col(method).cwiseAbs().cwiseMax(ensemble.cwiseAbs());
  choice.weights = VectorXd::Unit(guesses.size(), method);
}

// Absent where no method applies.
std::optional<Choice> Choose(const PastForecasts& past, const VectorXd& guesses, int least_past) {
  Choice choice{.errors = EnsembleErrors(past, guesses),
                .weights = Weights(past, guesses, [](Index) { return true; })};
  const double combined = Combine(choice.weights, guesses);
  const VectorXd ensemble = choice.errors;
  if (std::isnan(combined) || ensemble.array().isNaN().count() > ensemble.size() - least_past) {
    return {};
  }
  choice.candidates.push_back({.method = "ensemble",
                               .value = std::clamp(combined, 0.0, 1.0),
                               .past_error = MeanSize(ensemble)});
  UseBestBaseline(past, guesses, ensemble, choice);
  return choice;
}

// Half width that holds `level` of what is scaled by its own size; beyond the sample, as wide as
// Student's t makes it.
double HalfWidth(const VectorXd& scaled, double level) {
  std::vector<double> sizes(scaled.begin(), scaled.end());
  for (double& size : sizes) size = std::abs(size);
  std::ranges::sort(sizes);
  const auto n = static_cast<double>(sizes.size());
  const auto rank = static_cast<std::size_t>(std::ceil((n + 1) * level));
  if (rank <= sizes.size()) return sizes[rank - 1];
  return std::max(sizes.back(), StudentCritical(level, n) * std::sqrt(scaled.squaredNorm() / n));
}

void FillQuantiles(const VectorXd& errors, const VectorXd& distances, double distance,
                   ScoreForecast& forecast) {
  std::vector<double> scaled;
  for (Index c = 0; c < errors.size(); ++c) {
    if (!std::isnan(errors[c])) scaled.push_back(errors[c] * std::sqrt(distance / distances[c]));
  }
  const Eigen::Map<const VectorXd> of(scaled.data(), static_cast<Index>(scaled.size()));
  forecast.past = static_cast<int>(scaled.size());
  const auto within = [](double value) { return std::clamp(value, 0.0, 1.0); };
  const double inner = HalfWidth(of, 0.8), outer = HalfWidth(of, 0.95);
  forecast.low = within(*forecast.value - outer);
  forecast.low80 = within(*forecast.value - inner);
  forecast.high80 = within(*forecast.value + inner);
  forecast.high = within(*forecast.value + outer);
}

}  // namespace

ScoreForecast ForecastScore(std::span<const ScoreTrajectory> pool, const ScoreTrajectory& own,
                            double at, Index axis, const ScoreForecastOptions& options) {
  const Index seen = own.positions.size();
  ScoreForecast forecast{.at = at, .n = static_cast<int>(seen)};
  const double distance = at - own.positions[seen - 1];
  if (!(distance > 0)) {
    forecast.reason = "the place asked for is not beyond the last one seen: that is history";
    return forecast;
  }
  const PastForecasts past = PastForecaster(pool, own, at, axis, options).Run();
  const VectorXd guesses = GuessAll({pool, own, seen, at, axis});
  if (past.Count() < options.least_past) {
    forecast.past = static_cast<int>(past.Count());
    forecast.reason = fmt::format(
        "{} earlier forecast{} could be made and checked; at least {} are needed for an interval: "
        "more places, or more runs or families with this benchmark",
        past.Count(), past.Count() == 1 ? "" : "s", options.least_past);
    return forecast;
  }
  std::optional<Choice> choice = Choose(past, guesses, options.least_past);
  if (!choice) {
    forecast.reason = "no method applies to so few places";
    return forecast;
  }
  const ScoreCandidate& used = choice->candidates[choice->used];
  forecast.method = used.method;
  forecast.value = used.value;
  forecast.past_error = used.past_error;
  for (Index m = 0; m < choice->weights.size(); ++m) {
    if (choice->weights[m] > 0.01) {
      forecast.weights.emplace_back(ScoreMethods()[m].name, choice->weights[m]);
    }
  }
  FillQuantiles(choice->errors, past.distances, distance, forecast);
  forecast.candidates = std::move(choice->candidates);
  forecast.choice = std::move(choice->text);
  return forecast;
}

}  // namespace couplingd
