#include "bench/forecast_turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/forecast_data.h"
#include "coupling/turn_choice.h"
#include "coupling/turn_of_others.h"

namespace couplingd {
namespace {

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double Billions(const AxisObservation& at) { return *at.parameters / 1e9; }

std::string SeenText(const std::vector<AxisObservation>& sizes) {
  const auto least = std::ranges::min_element(sizes, {}, TruthfulnessScore);
  if (least == sizes.begin()) return fmt::format("below {:.3g}B", Billions(sizes[1]));
  if (std::next(least) == sizes.end()) return fmt::format("above {:.3g}B", Billions(*(least - 1)));
  return fmt::format("{:.3g}B to {:.3g}B", Billions(*(least - 1)), Billions(*(least + 1)));
}

// N_c of a family from the other families alone, against where its truthfulness was least.
Status LeftOutFamilies(const std::vector<AxisSeries>& families) {
  fmt::print(
      "\nN_c of a family from the other families and its own reasoning (method others), against "
      "the sizes\nbeside that of least TruthfulQA. 80 % of prediction\n"
      "  family           N_c    80 %                P(cross)  seen             verdict\n");
  int held = 0, total = 0;
  for (std::size_t f = 0; f < families.size(); ++f) {
    const std::vector<AxisObservation> sizes = TRY(SizesInOrder(families[f]));
    if (sizes.size() < 4) continue;
    std::vector<AxisSeries> others = families;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(f));
    const Forecast turn =
        TRY(ForecastByOthers(others, families[f], {.horizon_low = 1e7, .horizon_high = 1e13}));
    const auto least = std::ranges::min_element(sizes, {}, TruthfulnessScore);
    const bool is_first = least == sizes.begin(), is_last = std::next(least) == sizes.end();
    const bool holds = turn.value && (is_first || *(least - 1)->parameters <= *turn.high80) &&
                       (is_last || *turn.low80 <= *(least + 1)->parameters);
    held += holds;
    ++total;
    fmt::print("  {:<13} {:>6.2f}B   {:<20} {:>6.2f}   {:<16} {}\n", families[f].family,
               turn.value.value_or(std::nan("")) / 1e9,
               fmt::format("[{:.2f}B, {:.2f}B]", turn.low80.value_or(0) / 1e9,
                           turn.high80.value_or(0) / 1e9),
               turn.p_crossing.value_or(0), SeenText(sizes), holds ? "holds" : "missed");
  }
  fmt::print("  {} of {} hold; 80 % are meant to\n", held, total);
  return {};
}

constexpr int kFewestFamilies = 3;

// The choice between the methods for N_c, each family's made on the other families.
Status TurnMethods(const std::vector<AxisSeries>& families) {
  const std::vector<TurnTrial> trials = TRY(TryTurnMethods(families, {.replicates = 400}));
  fmt::print(
      "\nMethods for N_c, asked with the first 4, 5, ... sizes of a family: decades from where its "
      "turn was seen\n  {:<12} {:>10} {:>7} {:>9}\n",
      "method", "distance", "trials", "families");
  for (const TurnScore& score : ScoreTurnMethods(trials, "")) {
    fmt::print("  {:<12} {:>10.2f} {:>7} {:>9}\n", score.method, score.distance, score.trials,
               score.families);
  }
  std::map<std::string, std::vector<double>> chosen;
  for (const TurnTrial& trial : trials) {
    for (const TurnScore& score : ScoreTurnMethods(trials, trial.family)) {
      const bool was_asked = std::ranges::any_of(trials, [&](const TurnTrial& other) {
        return other.family == trial.family && other.sizes == trial.sizes &&
               other.method == score.method;
      });
      if (score.families < kFewestFamilies || !was_asked) continue;
      if (trial.method == score.method) chosen[trial.family].push_back(trial.distance);
      break;
    }
  }
  double sum = 0;
  for (const auto& [family, distances] : chosen) sum += Mean(distances);
  fmt::print("  {:<12} {:>10.2f}   each family by what was best on the other four\n", "chosen",
             sum / static_cast<double>(chosen.size()));
  return {};
}

}  // namespace

Status PrintTurns() {
  const std::vector<AxisSeries> families = TRY(PanelSeries());
  TRY(LeftOutFamilies(families));
  return TurnMethods(families);
}

}  // namespace couplingd
