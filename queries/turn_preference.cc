#include "queries/turn_preference.h"

#include "coupling/reference_panel.h"
#include "coupling/turn_of_others.h"

namespace couplingd {
namespace {

constexpr int kReplicates = 200;

Result<std::vector<TurnTrial>> TryOnPanel() {
  const BasePanel panel = TRY(ShippedBasePanel());
  return TryTurnMethods(FamilySeriesOf(CleanedPanel(panel)), {.replicates = kReplicates});
}

}  // namespace

Result<Forecast> ForecastByPanel(const AxisSeries& series, const ForecastOptions& options) {
  const BasePanel panel = TRY(ShippedBasePanel());
  std::vector<AxisSeries> others = FamilySeriesOf(CleanedPanel(panel));
  std::erase_if(others,
                [&](const AxisSeries& other) { return IsSameFamily(other.family, series.family); });
  return ForecastByOthers(others, series, options);
}

Result<TurnChoice> PreferTurn(const std::vector<Forecast>& forecasts) {
  static const Result<std::vector<TurnTrial>> kTrials = TryOnPanel();
  if (!kTrials) return std::unexpected(kTrials.error());
  TurnChoice choice = ChooseTurnMethod(forecasts, ScoreTurnMethods(*kTrials, forecasts[0].family));
  choice.reason += ", on HellaSwag and TruthfulQA of the shipped panel";
  return choice;
}

}  // namespace couplingd
