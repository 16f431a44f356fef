#include "queries/coupling_answers.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/json.h"
#include "queries/analysis.h"
#include "queries/forecast_answers.h"
#include "queries/loss_curve.h"
#include "queries/parameters.h"
#include "queries/turn_preference.h"

namespace couplingd {
namespace {

// Estimates need the whole series; ranges of steps and tokens select rows of the answer only.
HistoryFilter SeriesFilter(HistoryFilter filter) {
  filter.min_step = filter.max_step = std::nullopt;
  filter.min_tokens = filter.max_tokens = std::nullopt;
  filter.task.clear();
  filter.metric.clear();
  filter.limit = 0;
  return filter;
}

bool InRange(const HistoryFilter& filter, double step, const std::optional<double>& tokens) {
  if (filter.min_step && step < static_cast<double>(*filter.min_step)) return false;
  if (filter.max_step && step > static_cast<double>(*filter.max_step)) return false;
  if (filter.min_tokens && !(tokens && *tokens >= *filter.min_tokens)) return false;
  if (filter.max_tokens && !(tokens && *tokens <= *filter.max_tokens)) return false;
  return true;
}

bool WantsFresh(const QueryContext& context) { return context.parameters.contains("recompute"); }

template <typename Estimate>
std::vector<Estimate> OfAxes(std::vector<Estimate> estimates, const AxisPair& pair) {
  const std::string axes = pair.reasoning.Text() + "," + pair.truthfulness.Text();
  std::erase_if(estimates, [&](const Estimate& estimate) { return estimate.axes != axes; });
  return estimates;
}

Result<std::vector<CouplingEstimate>> Couplings(const QueryContext& context, const AxisPair& pair,
                                                const HistoryFilter& filter, CouplingOver over) {
  std::vector<CouplingEstimate> estimates;
  if (!WantsFresh(context)) estimates = OfAxes(TRY(context.history.Couplings(filter)), pair);
  std::erase_if(estimates, [&](const CouplingEstimate& e) { return e.over != over; });
  if (!estimates.empty()) return estimates;
  const AnalysisPart part =
      over == CouplingOver::kSteps ? AnalysisPart::kOverSteps : AnalysisPart::kOverScale;
  estimates =
      TRY(Analyse(context.history, context.config.coupling, {pair}, filter, part)).couplings;
  std::erase_if(estimates, [&](const CouplingEstimate& e) { return e.over != over; });
  return estimates;
}

void WriteEvidence(JsonWriter& json, const std::optional<PhaseEvidence>& evidence) {
  if (!evidence) {
    json.Null();
    return;
  }
  json.BeginObject().Field("reasoning_rises", evidence->reasoning_rises);
  json.Field("below_tax", evidence->below_tax);
  json.Field("above_tax", evidence->above_tax).Field("below_bonus", evidence->below_bonus);
  json.Field("above_bonus", evidence->above_bonus).EndObject();
}

// Of the run at the estimate's place; absent over scale and where no losses are recorded.
std::optional<double> LossAt(const std::map<RunGeneration, LossCurve>& curves,
                             const CouplingEstimate& estimate) {
  const auto curve = curves.find({estimate.run, estimate.generation});
  if (curve == curves.end()) return std::nullopt;
  const LossCurve& of = curve->second;
  return of.At(of.has_tokens ? estimate.tokens.value_or(0) : estimate.at);
}

void WriteCoupling(JsonWriter& json, const CouplingEstimate& estimate, std::optional<double> loss) {
  json.BeginObject().Field("family", estimate.family).Key("run");
  estimate.run.empty() ? json.Null() : json.Value(estimate.run);
  json.Field("generation", estimate.generation).Field("axes", estimate.axes);
  json.Field("over", ToString(estimate.over)).Field("at", estimate.at);
  json.Field("tokens", estimate.tokens).Field("gamma", estimate.gamma);
  json.Field("low", estimate.low).Field("high", estimate.high).Field("level", estimate.level);
  json.Field("phase", ToString(estimate.phase)).Field("p_tax", estimate.p_tax);
  json.Field("p_bonus", estimate.p_bonus).Key("evidence");
  WriteEvidence(json, estimate.evidence);
  json.Field("method", estimate.method);
  json.Field("n", estimate.n).Field("loss", loss);
  json.Field("reason", estimate.reason).EndObject();
}

// Of the methods for N_c, by family.
using TurnChoices = std::map<std::string, TurnChoice>;

Result<TurnChoices> Preferences(const std::vector<Forecast>& forecasts) {
  std::map<std::string, std::vector<Forecast>> families;
  for (const Forecast& forecast : forecasts) {
    if (forecast.run.empty()) families[forecast.family].push_back(forecast);
  }
  TurnChoices choices;
  for (const auto& [family, of_family] : families) choices[family] = TRY(PreferTurn(of_family));
  return choices;
}

// The reason of a choice is told once: by the preferred row, or by the first where none is.
void WriteForecast(JsonWriter& json, const Forecast& forecast, TurnChoices& choices) {
  json.BeginObject().Field("family", forecast.family).Key("run");
  forecast.run.empty() ? json.Null() : json.Value(forecast.run);
  json.Field("axes", forecast.axes).Field("quantity", forecast.quantity);
  json.Field("method", forecast.method).Field("value", forecast.value);
  json.Field("low", forecast.low).Field("high", forecast.high).Field("level", forecast.level);
  json.Field("p_crossing", forecast.p_crossing).Key("horizon").BeginArray();
  json.Value(forecast.horizon_low).Value(forecast.horizon_high).EndArray();
  json.Field("n", forecast.n).Field("reason", forecast.reason);
  json.Field("low80", forecast.low80).Field("high80", forecast.high80).Key("state");
  forecast.value ? json.Value(forecast.HasPassed() ? "passed" : "ahead") : json.Null();
  json.Field("p_passed", forecast.p_passed).Field("observed", forecast.observed);
  const bool is_over_scale = forecast.run.empty();
  json.Key("preferred");
  std::string text;
  if (is_over_scale) {
    TurnChoice& choice = choices[forecast.family];
    json.Value(forecast.method == choice.method);
    if (forecast.method == choice.method || choice.method.empty()) std::swap(text, choice.reason);
  } else {
    json.Null();
  }
  json.Field("choice", text).EndObject();
}

}  // namespace

Result<std::string> AnswerCoupling(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  const CouplingOver over = TRY(ParseOver(context.parameters));
  const auto losses = TRY(SmoothedLosses(context.history, SeriesFilter(filter)));
  JsonWriter json;
  json.BeginArray();
  for (const AxisPair& pair : TRY(ParseAxes(context.parameters, context.config))) {
    for (const CouplingEstimate& estimate :
         TRY(Couplings(context, pair, SeriesFilter(filter), over))) {
      if (over == CouplingOver::kScale || InRange(filter, estimate.at, estimate.tokens)) {
        WriteCoupling(json, estimate, LossAt(losses, estimate));
      }
    }
  }
  return json.EndArray().Text();
}

Result<std::string> AnswerForecast(const QueryContext& context) {
  const auto asks = [&](const char* name) { return context.parameters.contains(name); };
  if (asks("terms")) return AnswerOdeTerms(context);
  if (asks("benchmarks") || asks("task") || asks("metric") || asks("at") || asks("panel")) {
    return AnswerScoreForecasts(context);
  }
  const std::optional<CouplingOver> over =
      asks("over") ? std::optional(TRY(ParseOver(context.parameters))) : std::nullopt;
  const HistoryFilter filter = SeriesFilter(TRY(ParseFilter(context.parameters, context.clock)));
  JsonWriter json;
  json.BeginArray();
  for (const AxisPair& pair : TRY(ParseAxes(context.parameters, context.config))) {
    std::vector<Forecast> forecasts;
    if (!WantsFresh(context)) forecasts = OfAxes(TRY(context.history.Forecasts(filter)), pair);
    if (forecasts.empty()) {
      forecasts = TRY(Analyse(context.history, context.config.coupling, {pair}, filter,
                              AnalysisPart::kForecasts))
                      .forecasts;
    }
    TurnChoices choices = TRY(Preferences(forecasts));
    for (const Forecast& forecast : forecasts) {
      if (over && forecast.run.empty() != (*over == CouplingOver::kScale)) continue;
      WriteForecast(json, forecast, choices);
    }
  }
  return json.EndArray().Text();
}

Result<std::string> AnswerHistory(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  JsonWriter json;
  json.BeginArray();
  for (const AxisPair& pair : TRY(ParseAxes(context.parameters, context.config))) {
    const HistoryFilter whole = SeriesFilter(filter);
    std::map<std::tuple<std::string, int, double>, CouplingEstimate> estimates;
    for (CouplingEstimate& e : TRY(Couplings(context, pair, whole, CouplingOver::kSteps))) {
      estimates.insert_or_assign({e.run, e.generation, e.at}, std::move(e));
    }
    for (const AxisSeries& series : TRY(CollectSeries(context.history, pair, whole))) {
      for (const AxisObservation& point : series.observations) {
        if (!InRange(filter, point.step, point.tokens)) continue;
        const auto found = estimates.find({series.run, series.generation, point.step});
        const CouplingEstimate estimate =
            found == estimates.end() ? CouplingEstimate{} : found->second;
        json.BeginObject().Field("run", series.run).Field("family", series.family);
        json.Field("generation", series.generation);
        json.Field("step", static_cast<std::int64_t>(point.step)).Field("tokens", point.tokens);
        json.Field("parameters", point.parameters).Field("axes", series.AxesText());
        json.Field("reasoning", point.reasoning).Field("reasoning_stderr", point.reasoning_stderr);
        json.Field("truthfulness", point.truthfulness);
        json.Field("truthfulness_stderr", point.truthfulness_stderr).Field("gamma", estimate.gamma);
        json.Field("low", estimate.low).Field("high", estimate.high);
        json.Field("phase", estimate.gamma ? std::optional(std::string(ToString(estimate.phase)))
                                           : std::nullopt);
        json.EndObject();
      }
    }
  }
  return json.EndArray().Text();
}

}  // namespace couplingd
