#include "coupling/turn_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>

#include "coupling/turn_of_others.h"

namespace couplingd {
namespace {

constexpr std::size_t kFewestSizes = 4;
constexpr int kFewestFamilies = 3;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// log10 of the sizes between which the turn was seen.
struct Seen {
  double low = -kInfinity, high = kInfinity;

  double DistanceFrom(double place) const { return std::max({0.0, low - place, place - high}); }
};

Seen TurnOf(const std::vector<AxisObservation>& sizes) {
  const auto least = std::ranges::min_element(sizes, {}, TruthfulnessScore);
  Seen seen;
  if (least != sizes.begin()) seen.low = std::log10(*std::prev(least)->parameters);
  if (std::next(least) != sizes.end()) seen.high = std::log10(*std::next(least)->parameters);
  return seen;
}

double AnswerOf(const Forecast& forecast) {
  const bool crosses = forecast.value && *forecast.p_crossing >= 0.5;
  return std::log10(crosses ? *forecast.value : forecast.horizon_high);
}

std::vector<AxisSeries> Without(const std::vector<AxisSeries>& all, std::size_t left_out) {
  std::vector<AxisSeries> others;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (k != left_out) others.push_back(all[k]);
  }
  return others;
}

}  // namespace

bool IsSameFamily(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

Result<std::vector<TurnTrial>> TryTurnMethods(const std::vector<AxisSeries>& families,
                                              const ForecastOptions& options) {
  std::vector<TurnTrial> trials;
  for (std::size_t f = 0; f < families.size(); ++f) {
    const std::vector<AxisObservation> sizes = TRY(SizesInOrder(families[f]));
    if (sizes.size() <= kFewestSizes) continue;
    const Seen seen = TurnOf(sizes);
    const std::vector<AxisSeries> others = Without(families, f);
    for (std::size_t known = kFewestSizes; known < sizes.size(); ++known) {
      AxisSeries smaller = families[f];
      smaller.observations.assign(sizes.begin(),
                                  sizes.begin() + static_cast<std::ptrdiff_t>(known));
      std::vector<Forecast> forecasts =
          TRY(ForecastSignChange(smaller, CouplingOver::kScale, options));
      forecasts.push_back(TRY(ForecastByOthers(others, smaller, options)));
      const auto add = [&](std::string_view method, double place) {
        trials.push_back({.family = families[f].family,
                          .method = std::string(method),
                          .sizes = static_cast<int>(known),
                          .distance = seen.DistanceFrom(place)});
      };
      for (const Forecast& forecast : forecasts) {
        if (forecast.p_crossing) add(forecast.method, AnswerOf(forecast));
      }
      add(kNoTurn, std::log10(10 * *sizes[known - 1].parameters));
    }
  }
  return trials;
}

std::vector<TurnScore> ScoreTurnMethods(const std::vector<TurnTrial>& trials,
                                        std::string_view without) {
  struct Sum {
    double distance = 0;
    int count = 0;
  };
  std::map<std::string, std::map<std::string, Sum>> methods;
  for (const TurnTrial& trial : trials) {
    if (IsSameFamily(trial.family, without)) continue;
    Sum& sum = methods[trial.method][trial.family];
    sum.distance += trial.distance;
    ++sum.count;
  }
  std::vector<TurnScore> scores;
  for (const auto& [method, families] : methods) {
    TurnScore score{.method = method, .families = static_cast<int>(families.size())};
    for (const auto& [family, sum] : families) {
      score.distance += sum.distance / sum.count / score.families;
      score.trials += sum.count;
    }
    scores.push_back(std::move(score));
  }
  std::ranges::stable_sort(scores, {}, &TurnScore::distance);
  return scores;
}

TurnChoice ChooseTurnMethod(const std::vector<Forecast>& forecasts,
                            const std::vector<TurnScore>& scores) {
  std::string others;
  const TurnScore* best = nullptr;
  for (const TurnScore& score : scores) {
    if (score.families < kFewestFamilies) continue;
    const auto found = std::ranges::find(forecasts, score.method, &Forecast::method);
    const bool answers = found != forecasts.end() && found->p_crossing;
    if (!answers && score.method != kNoTurn) continue;
    if (!best) {
      best = &score;
    } else {
      others +=
          fmt::format("{}{} {:.2f}", others.empty() ? "" : ", ", score.method, score.distance);
    }
  }
  if (!best) return {.reason = "no method that answers here was tried on 3 families"};
  const std::string record =
      fmt::format("{:.2f} decades from the turns of {} other families in {} trials ({})",
                  best->distance, best->families, best->trials, others);
  if (best->method == kNoTurn) {
    return {.reason = fmt::format("none is to be preferred: to forecast no turn within ten times "
                                  "the largest size came closest, {}",
                                  record)};
  }
  return {.method = best->method,
          .reason = fmt::format("{} is to be preferred: {}", best->method, record)};
}

}  // namespace couplingd
