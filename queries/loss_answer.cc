#include "queries/loss_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "coupling/loss_law.h"
#include "coupling/partial_correlation.h"
#include "queries/analysis.h"
#include "queries/loss_curve.h"
#include "queries/parameters.h"

namespace couplingd {
namespace {

constexpr int kGroups = 200;
constexpr double kLevel = 0.95;
constexpr std::size_t kFewestForPartial = 6;

struct Row {
  std::string run, family, over, axes;
  int generation = 1;
  std::int64_t points = 0;
  std::optional<double> from, to, loss;
  std::optional<LossLaw> law;
  std::optional<double> change_at;
  std::optional<StepTest> step;
  std::optional<Correlation> partial;  // of the axes, the loss held
  std::optional<std::int64_t> n;       // checkpoints behind `partial`
  std::string reason;

  void Say(const std::string& sentence) { reason += (reason.empty() ? "" : "; ") + sentence; }
};

// Where γ goes from one side of zero to the other, between the windows that show a phase on each;
// the last such place.
Result<std::optional<double>> SignChange(const AxisSeries& series, const CouplingOptions& options,
                                         bool by_tokens) {
  std::optional<double> place, before;
  Phase last = Phase::kUndetermined;
  for (const LocalCoupling& local : TRY(CouplingHistory(series, options))) {
    const Phase phase = local.estimate.phase;
    if (phase != Phase::kTax && phase != Phase::kBonus) continue;
    const double at = by_tokens ? local.estimate.tokens.value_or(0) : local.estimate.at;
    if (!(at > 0)) continue;
    if (last != Phase::kUndetermined && phase != last) place = std::sqrt(*before * at);
    last = phase;
    before = at;
  }
  return place;
}

void TestSignChange(const LossCurve& smooth, Row& row) {
  if (!row.law) return;
  const char* noun = smooth.has_tokens ? "tokens" : "steps";
  if (!row.change_at) {
    row.Say("γ shows no change of sign in this run: there is no place to test the loss at");
    return;
  }
  const int width = std::max<int>(3, static_cast<int>(smooth.x.size()) / 20);
  row.step = TestStepAt(smooth.x, row.law->residuals, *row.change_at, width);
  if (!row.step) {
    row.Say(
        fmt::format("γ changes sign near {} {}, but the log is too coarse there to test the loss",
                    FormatCount(*row.change_at), noun));
    return;
  }
  const StepTest& step = *row.step;
  if (step.p >= 0.05) {
    row.Say(fmt::format(
        "the loss is smooth through the sign change near {} {}: its step of {:+.4f} "
        "is reached at {:.0f} % of {} other places (one of {:.4f} would stand out)",
        FormatCount(*row.change_at), noun, step.step, 100 * step.p, step.places, step.detectable));
  } else {
    row.Say(
        fmt::format("the loss steps by {:+.4f} at the sign change near {} {}, more than at {:.0f} "
                    "% of {} other places: this speaks against a loss that is blind to it",
                    step.step, FormatCount(*row.change_at), noun, 100 * (1 - step.p), step.places));
  }
}

Status GivenTheLoss(const AxisSeries& series, const LossCurve& curve, const LossCurve& smooth,
                    Row& row) {
  std::vector<double> reasoning, truthfulness, losses;
  for (const AxisObservation& at : TRY(TrainedInOrder(series))) {
    const double place = curve.has_tokens ? at.tokens.value_or(0) : at.step;
    const auto loss = smooth.At(place);
    if (!loss) continue;
    reasoning.push_back(at.reasoning);
    truthfulness.push_back(at.truthfulness);
    losses.push_back(*loss);
  }
  const auto vector = [](const std::vector<double>& values) {
    return Eigen::Map<const Eigen::VectorXd>(values.data(),
                                             static_cast<Eigen::Index>(values.size()));
  };
  row.n = static_cast<std::int64_t>(losses.size());
  if (losses.size() >= kFewestForPartial) {
    const auto partial =
        PartialCorrelation(vector(reasoning), vector(truthfulness), vector(losses), kLevel);
    if (partial) row.partial = *partial;
    if (!partial) row.Say("no coupling given the loss: " + partial.error().Text());
  } else {
    row.Say(fmt::format("{} checkpoints have a loss; {} are needed for the coupling given the loss",
                        losses.size(), kFewestForPartial));
  }
  return {};
}

void FitLaw(const LossCurve& smooth, Row& row) {
  auto law = FitLossLaw(smooth.x, smooth.loss, {.level = kLevel});
  if (law) {
    row.law = *std::move(law);
  } else {
    row.Say(law.error().message);
  }
}

Row RowOf(const LossCurve& curve, const LossCurve& smooth) {
  Row row{.run = curve.run,
          .family = curve.family,
          .over = curve.has_tokens ? "tokens" : "steps",
          .generation = curve.generation,
          .points = curve.x.size()};
  if (smooth.x.size() == 0) return row;
  row.from = smooth.x[0];
  row.to = smooth.x[smooth.x.size() - 1];
  row.loss = smooth.loss[smooth.loss.size() - 1];
  return row;
}

// Over the sizes of a family, at the largest place that all of them reach.
std::optional<Row> FamilyRow(const std::vector<const LossCurve*>& curves) {
  std::map<double, const LossCurve*> sizes;
  bool has_tokens = true;
  for (const LossCurve* curve : curves) {
    if (!curve->parameters || curve->x.size() == 0) continue;
    sizes[*curve->parameters] = curve;
    has_tokens &= curve->has_tokens;
  }
  if (sizes.size() < 2 || !has_tokens) return std::nullopt;
  double common = INFINITY;
  for (const auto& [size, curve] : sizes) common = std::min(common, curve->x[curve->x.size() - 1]);
  Row row{.family = sizes.begin()->second->family, .over = "parameters"};
  std::vector<double> x, losses;
  for (const auto& [size, curve] : sizes) {
    const LossCurve smooth = curve->Smoothed(kGroups);
    const auto loss = smooth.At(common);
    if (!loss) continue;
    x.push_back(size);
    losses.push_back(*loss);
  }
  if (x.empty()) return std::nullopt;
  row.points = static_cast<std::int64_t>(x.size());
  row.from = x.front();
  row.to = x.back();
  row.loss = losses.back();
  LossCurve over_sizes;
  over_sizes.x = Eigen::Map<Eigen::VectorXd>(x.data(), static_cast<Eigen::Index>(x.size()));
  over_sizes.loss =
      Eigen::Map<Eigen::VectorXd>(losses.data(), static_cast<Eigen::Index>(losses.size()));
  row.Say(fmt::format("at {} tokens", FormatCount(common)));
  FitLaw(over_sizes, row);
  return row;
}

void Write(JsonWriter& json, const Row& row) {
  const auto text = [](const std::string& value) {
    return value.empty() ? std::nullopt : std::optional(value);
  };
  const auto law = [&](auto value) -> std::optional<double> {
    return row.law ? std::optional<double>(value(*row.law)) : std::nullopt;
  };
  json.BeginObject().Field("run", text(row.run)).Field("family", row.family);
  json.Field("generation", row.generation).Field("over", row.over).Field("points", row.points);
  json.Field("from", row.from).Field("to", row.to).Field("loss", row.loss);
  json.Field("exponent", law([](const LossLaw& l) { return l.law.exponent; }));
  json.Field("exponent_low", law([](const LossLaw& l) { return l.exponent.low; }));
  json.Field("exponent_high", law([](const LossLaw& l) { return l.exponent.high; }));
  json.Field("scale", law([](const LossLaw& l) { return l.law.scale; }));
  json.Field("floor", law([](const LossLaw& l) { return l.law.floor; }));
  json.Field("floor_low", law([](const LossLaw& l) { return l.floor.low; }));
  json.Field("floor_high", law([](const LossLaw& l) { return l.floor.high; }));
  json.Field("deviation", law([](const LossLaw& l) { return l.deviation; }));
  json.Field("axes", text(row.axes)).Field("n", row.n);
  const auto partial = [&](auto member) {
    return row.partial ? std::optional<double>(member(*row.partial)) : std::nullopt;
  };
  json.Field("partial", partial([](const Correlation& c) { return c.r; }));
  json.Field("partial_low", partial([](const Correlation& c) { return c.interval.low; }));
  json.Field("partial_high", partial([](const Correlation& c) { return c.interval.high; }));
  json.Field("change_at", row.change_at);
  json.Field("step", row.step ? std::optional(row.step->step) : std::nullopt);
  json.Field("step_p", row.step ? std::optional(row.step->p) : std::nullopt);
  json.Field("step_detectable", row.step ? std::optional(row.step->detectable) : std::nullopt);
  json.Field("reason", row.reason).EndObject();
}

class LossReport {
 public:
  explicit LossReport(const QueryContext& context)
      : context_(context), options_(QuickOptionsOf(context.config.coupling)) {
    json_.BeginArray();
  }

  Status Run(const LossCurve& curve, const std::vector<AxisPair>& pairs,
             const HistoryFilter& filter) {
    const LossCurve smooth = curve.Smoothed(kGroups);
    Row plain = RowOf(curve, smooth);
    FitLaw(smooth, plain);
    bool any = false;
    for (const AxisPair& pair : pairs) {
      for (const AxisSeries& series : TRY(CollectSeries(context_.history, pair, filter))) {
        if (series.run != curve.run || series.generation != curve.generation) continue;
        Row row = plain;
        row.axes = series.AxesText();
        TRY(GivenTheLoss(series, curve, smooth, row));
        row.change_at = TRY(SignChange(series, options_, curve.has_tokens));
        TestSignChange(smooth, row);
        Write(json_, row);
        any = true;
      }
    }
    if (!any) {
      plain.Say("no axis pair is scored in this run: there is no coupling to put beside the loss");
      Write(json_, plain);
    }
    return {};
  }

  void Family(const std::vector<const LossCurve*>& curves) {
    if (const auto row = FamilyRow(curves)) Write(json_, *row);
  }

  std::string Text() { return json_.EndArray().Text(); }

 private:
  const QueryContext& context_;
  CouplingOptions options_;
  JsonWriter json_;
};

}  // namespace

Result<std::string> AnswerLoss(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  const std::vector<AxisPair> pairs = TRY(ParseAxes(context.parameters, context.config));
  const auto curves = TRY(CollectLosses(context.history, filter));
  LossReport report(context);
  std::map<std::string, std::vector<const LossCurve*>> families;
  for (const auto& [key, curve] : curves) {
    HistoryFilter of_run = filter;
    of_run.run = curve.run;
    TRY(report.Run(curve, pairs, of_run));
    families[curve.family].push_back(&curve);
  }
  for (const auto& [family, of] : families) report.Family(of);
  return report.Text();
}

}  // namespace couplingd
