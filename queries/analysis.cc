#include "queries/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/critical_scale.h"
#include "coupling/interventions.h"
#include "coupling/local_coupling.h"
#include "coupling/reference_panel.h"
#include "queries/turn_preference.h"

namespace couplingd {
namespace {

CouplingEstimate WithoutEstimate(const AxisSeries& series, CouplingOver over, std::string reason) {
  CouplingEstimate estimate;
  estimate.family = series.family;
  estimate.run = series.run;
  estimate.generation = series.generation;
  estimate.axes = series.AxesText();
  estimate.over = over;
  estimate.level = series.axes.level;
  estimate.n = static_cast<int>(series.observations.size());
  estimate.reason = std::move(reason);
  return estimate;
}

// A reason completed by which sizes are not in the estimate.
std::string WithLeftOut(std::string reason, const std::vector<std::string>& left_out) {
  if (left_out.empty()) return reason;
  return fmt::format("{}{}left out: {}", reason, reason.empty() ? "" : "; ",
                     fmt::join(left_out, "; "));
}

// The forecast that advice rests on: the preferred method's, else the first that gave a value.
Result<std::optional<Forecast>> BestOf(const std::vector<Forecast>& forecasts) {
  const TurnChoice choice = TRY(PreferTurn(forecasts));
  const Forecast* best = nullptr;
  for (const Forecast& forecast : forecasts) {
    if (!forecast.value) continue;
    if (!best || forecast.method == choice.method) best = &forecast;
  }
  return best ? std::optional(*best) : std::nullopt;
}

// What the newest estimate of a run or family gives for advice, once all others are known.
struct Advisable {
  LocalCoupling coupling;
  std::optional<double> parameters;
  std::optional<Forecast> forecast;

  // The run, or the family where the estimate is over scale.
  std::string Name() const {
    const CouplingEstimate& estimate = coupling.estimate;
    return estimate.run.empty() ? estimate.family : estimate.run;
  }
  bool IsOfSame(const Advisable& other) const {
    return Name() == other.Name() && coupling.estimate.over == other.coupling.estimate.over;
  }
};

// Sizes and tokens that count as the same for a comparison of runs.
constexpr double kSameSize = 1.1;
constexpr double kSameTokens = 1.25;

bool IsWithin(double a, double b, double factor) { return a < b * factor && b < a * factor; }

// The estimate of another run of this size at the nearest tokens.
std::optional<PeerRun> PeerOf(const Advisable& own, const Advisable& other,
                              const std::vector<CouplingEstimate>& couplings) {
  const CouplingEstimate& mine = own.coupling.estimate;
  const CouplingEstimate& theirs = other.coupling.estimate;
  if (theirs.axes != mine.axes || theirs.run == mine.run || mine.over != CouplingOver::kSteps ||
      theirs.over != CouplingOver::kSteps || !own.parameters || !other.parameters || !mine.tokens ||
      !IsWithin(*own.parameters, *other.parameters, kSameSize)) {
    return std::nullopt;
  }
  const CouplingEstimate* nearest = nullptr;
  for (const CouplingEstimate& one : couplings) {
    if (one.run != theirs.run || one.axes != mine.axes || one.over != CouplingOver::kSteps ||
        !one.gamma || !one.low || !one.high || !one.tokens ||
        !IsWithin(*one.tokens, *mine.tokens, kSameTokens)) {
      continue;
    }
    const auto distance = [&](const CouplingEstimate& e) {
      return std::abs(std::log(*e.tokens / *mine.tokens));
    };
    if (!nearest || distance(one) < distance(*nearest)) nearest = &one;
  }
  if (!nearest) return std::nullopt;
  return PeerRun{.run = nearest->run,
                 .family = nearest->family,
                 .gamma = *nearest->gamma,
                 .low = *nearest->low,
                 .high = *nearest->high,
                 .tokens = nearest->tokens};
}

class Analyser {
 public:
  Analyser(const CouplingConfig& config, AnalysisPart part) : config_(config), part_(part) {}

  // Advice comes last: it compares runs and axis pairs with one another.
  Result<Analysis> Finish(const std::map<std::string, int>& widths) {
    if (advisable_.empty()) return std::move(analysis_);
    const ReferencePanel reference = TRY(ShippedReference({.replicates = kReferenceReplicates}));
    for (const Advisable& own : advisable_) {
      const CouplingEstimate& estimate = own.coupling.estimate;
      InterventionContext context{.parameters = own.parameters,
                                  .diagnostics = own.coupling.diagnostics,
                                  .reference = &reference};
      const auto width = widths.find(estimate.run);
      if (width != widths.end()) context.d_model = width->second;
      for (const Advisable& other : advisable_) {
        if (&other == &own) continue;
        if (auto peer = PeerOf(own, other, analysis_.couplings)) context.peers.push_back(*peer);
        if (own.IsOfSame(other) && other.coupling.estimate.axes != estimate.axes) {
          context.pairs.push_back({other.coupling.estimate.axes, other.coupling.diagnostics});
        }
      }
      analysis_.advice[{own.Name(), estimate.axes}] =
          SuggestInterventions(estimate, own.forecast, context);
    }
    return std::move(analysis_);
  }

  // `sizes` forecasts come first, so that the advice for a run may rest on its family's N_c.
  Status Family(const std::vector<AxisSeries>& runs) {
    if (HasSizes(runs)) TRY(OverScale(runs));
    for (const AxisSeries& run : runs) TRY(OverSteps(run));
    return {};
  }

 private:
  bool Wants(AnalysisPart part) const { return part_ == AnalysisPart::kAll || part_ == part; }

  Status OverScale(const std::vector<AxisSeries>& runs) {
    const Result<FamilySizes> sizes = FamilySeries(runs, config_.match);
    if (!sizes) {
      AxisSeries named = runs[0];
      named.run.clear();
      analysis_.couplings.push_back(
          WithoutEstimate(named, CouplingOver::kScale, sizes.error().Text()));
      return {};
    }
    family_forecast_.reset();
    const std::size_t before = analysis_.forecasts.size();
    if (Wants(AnalysisPart::kForecasts)) TRY(Forecasts(sizes->series, CouplingOver::kScale));
    for (std::size_t i = before; i < analysis_.forecasts.size(); ++i) {
      analysis_.forecasts[i].reason = WithLeftOut(analysis_.forecasts[i].reason, sizes->left_out);
    }
    if (!Wants(AnalysisPart::kOverScale)) return {};
    ScaleCoupling scale = TRY(CouplingOverScale(sizes->series, OptionsOf(config_)));
    CouplingEstimate& population = scale.population.estimate;
    population.reason = WithLeftOut(population.reason, sizes->left_out);
    for (const LocalCoupling& local : scale.local) analysis_.couplings.push_back(local.estimate);
    analysis_.couplings.push_back(population);
    Advise(sizes->series, scale.population);
    return {};
  }

  Status OverSteps(const AxisSeries& run) {
    if (Wants(AnalysisPart::kForecasts)) TRY(Forecasts(run, CouplingOver::kSteps));
    if (!Wants(AnalysisPart::kOverSteps)) return {};
    const std::vector<LocalCoupling> history = TRY(CouplingHistory(run, OptionsOf(config_)));
    for (const LocalCoupling& local : history) analysis_.couplings.push_back(local.estimate);
    const LocalCoupling newest =
        history.empty() ? TRY(CouplingOverSteps(run, OptionsOf(config_))) : history.back();
    if (history.empty()) analysis_.couplings.push_back(newest.estimate);
    Advise(run, newest);
    return {};
  }

  Status Forecasts(const AxisSeries& series, CouplingOver over) {
    ForecastOptions options;
    options.replicates = std::min(config_.replicates, 1000);
    std::vector<Forecast> forecasts = TRY(ForecastSignChange(series, over, options));
    if (over == CouplingOver::kScale) {
      if (ReferencePanel::HasAxes(series.AxesText())) {
        forecasts.push_back(TRY(ForecastByPanel(series, options)));
      }
      family_forecast_ = TRY(BestOf(forecasts));
    }
    std::move(forecasts.begin(), forecasts.end(), std::back_inserter(analysis_.forecasts));
    return {};
  }

  void Advise(const AxisSeries& series, const LocalCoupling& coupling) {
    Advisable& own = advisable_.emplace_back();
    own.coupling = coupling;
    own.forecast = family_forecast_;
    if (!series.observations.empty()) own.parameters = series.observations.back().parameters;
  }

  static constexpr int kReferenceReplicates = 1000;

  const CouplingConfig& config_;
  const AnalysisPart part_;
  std::vector<Advisable> advisable_;
  std::optional<Forecast> family_forecast_;
  Analysis analysis_;
};

}  // namespace

CouplingOptions OptionsOf(const CouplingConfig& config) {
  CouplingOptions options;
  options.bounds = config.bounds;
  options.window = config.window;
  options.least_decades = config.min_decades;
  options.replicates = config.replicates;
  return options;
}

CouplingOptions QuickOptionsOf(const CouplingConfig& config) {
  constexpr int kMostReplicates = 500;
  CouplingOptions options = OptionsOf(config);
  options.replicates = std::min(options.replicates, kMostReplicates);
  return options;
}

bool HasSizes(const std::vector<AxisSeries>& runs) {
  return std::ranges::count_if(runs, [](const AxisSeries& run) {
           return !run.observations.empty() && run.observations[0].parameters;
         }) >= 2;
}

Result<Analysis> Analyse(HistoryReader& history, const CouplingConfig& config,
                         const std::vector<AxisPair>& axes, const HistoryFilter& filter,
                         AnalysisPart part) {
  Analyser analyser(config, part);
  for (const AxisPair& pair : axes) {
    std::map<std::string, std::vector<AxisSeries>> families;
    for (AxisSeries& series : TRY(CollectSeries(history, pair, filter))) {
      families[series.family].push_back(std::move(series));
    }
    for (const auto& [family, runs] : families) TRY(analyser.Family(runs));
  }
  std::map<std::string, int> widths;
  for (const Run& run : TRY(history.Runs()))
    if (run.d_model) widths[run.name] = *run.d_model;
  return analyser.Finish(widths);
}

}  // namespace couplingd
