#include "queries/forecast_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/json.h"
#include "coupling/critical_scale.h"
#include "coupling/forecast_places.h"
#include "coupling/ode_ensemble.h"
#include "coupling/panel/base_panel.h"
#include "coupling/score_forecast.h"
#include "queries/analysis.h"
#include "queries/parameters.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

using Eigen::Index;

HistoryFilter WholeSeries(HistoryFilter filter) {
  filter.task.clear();
  filter.metric.clear();
  filter.limit = 0;
  return filter;
}

Result<CouplingOver> OverOf(const QueryParameters& parameters) {
  if (parameters.contains("over")) return ParseOver(parameters);
  return parameters.contains("run") ? CouplingOver::kSteps : CouplingOver::kScale;
}

// The benchmarks that the filter selects: every metric that is a share.
Result<std::vector<TaskMetric>> Benchmarks(HistoryReader& history, const HistoryFilter& filter) {
  std::set<std::pair<std::string, std::string>> found;
  for (const ScoreRow& row : TRY(history.Scores(filter))) {
    if (IsFractionMetric(row.score.metric)) found.emplace(row.score.task, row.score.metric);
  }
  std::vector<TaskMetric> benchmarks;
  for (const auto& [task, metric] : found) benchmarks.push_back({task, metric});
  return benchmarks;
}

// The runs of every family with the benchmark and, where they have it, the reasoning axis beside
// it.
using Families = std::map<std::string, std::vector<AxisSeries>>;
Result<Families> CollectFamilies(HistoryReader& history, const TaskMetric& reasoning,
                                 const TaskMetric& benchmark, const HistoryFilter& filter) {
  std::vector<AxisSeries> all =
      TRY(CollectSeries(history, {.reasoning = reasoning, .truthfulness = benchmark}, filter));
  if (all.empty()) {
    all = TRY(CollectSeries(history, {.reasoning = benchmark, .truthfulness = benchmark}, filter));
  }
  Families families;
  for (AxisSeries& series : all) families[series.family].push_back(std::move(series));
  return families;
}

double Place(const AxisObservation& at, CouplingOver over) {
  return over == CouplingOver::kScale ? at.parameters.value_or(0) : at.tokens.value_or(0);
}

double MeanOr(const std::vector<double>& items, double value) {
  if (items.empty()) return value;
  double sum = 0;
  for (const double item : items) sum += item;
  return sum / static_cast<double>(items.size());
}

// Empty where places are unknown. Column 0 is reasoning, column 1 the benchmark; one column where
// they are the same.
Result<ScoreTrajectory> TrajectoryOf(const AxisSeries& series, CouplingOver over) {
  const std::vector<AxisObservation> chosen =
      over == CouplingOver::kScale ? TRY(SizesInOrder(series)) : TRY(TrainedInOrder(series));
  const bool is_one = series.axes.reasoning == series.axes.truthfulness;
  const auto places = static_cast<Index>(chosen.size());
  ScoreTrajectory made{over == CouplingOver::kScale ? series.family : series.run,
                       Eigen::VectorXd(places), Eigen::MatrixXd(places, is_one ? 1 : 2)};
  for (Index k = 0; k < places; ++k) {
    const double place = Place(chosen[k], over);
    if (!(place > 0)) return ScoreTrajectory{made.name, {}, {}};
    made.positions[k] = std::log10(place);
    made.scores(k, 0) = MeanOr(chosen[k].reasoning_items, chosen[k].reasoning);
    if (!is_one) made.scores(k, 1) = MeanOr(chosen[k].truthfulness_items, chosen[k].truthfulness);
  }
  return made;
}

struct Subject {
  std::string family, run;
  ScoreTrajectory trajectory;
};

// What is forecast of one benchmark: every family over its sizes, or every run over its steps.
Result<std::vector<Subject>> SubjectsOf(const Families& families, CouplingOver over,
                                        const std::string& match) {
  std::vector<Subject> subjects;
  for (const auto& [family, runs] : families) {
    if (over == CouplingOver::kScale) {
      const auto sizes = FamilySeries(runs, match);
      if (!sizes) continue;  // no sizes known: a family of no scale
      subjects.push_back({family, "", TRY(TrajectoryOf(sizes->series, over))});
      continue;
    }
    for (const AxisSeries& run : runs) {
      subjects.push_back({family, run.run, TRY(TrajectoryOf(run, over))});
    }
  }
  return subjects;
}

std::optional<PanelScore> PanelColumn(const TaskMetric& metric) {
  static const std::map<std::string, PanelScore> kColumns = {
      {"hellaswag.acc_norm", &PanelModel::hellaswag},
      {"truthfulqa_mc2.acc", &PanelModel::truthfulqa},
      {"arc_challenge.acc_norm", &PanelModel::arc_challenge},
      {"winogrande.acc", &PanelModel::winogrande},
      {"mmlu.acc", &PanelModel::mmlu}};
  const auto found = kColumns.find(metric.Text());
  return found == kColumns.end() ? std::nullopt : std::optional(found->second);
}

// The shipped panel's families with the columns of a trajectory.
Result<std::vector<ScoreTrajectory>> PanelPool(const std::vector<TaskMetric>& columns) {
  std::vector<PanelScore> scores;
  for (const TaskMetric& column : columns) {
    const auto score = PanelColumn(column);
    if (!score) {
      return Fail(ErrorKind::kUsage, fmt::format("the shipped panel has no {}", column.Text()),
                  "it has hellaswag.acc_norm, truthfulqa_mc2.acc, arc_challenge.acc_norm, "
                  "winogrande.acc and mmlu.acc");
    }
    scores.push_back(*score);
  }
  const std::vector<PanelModel> models = WithAll(CleanedPanel(TRY(ShippedBasePanel())), scores);
  std::vector<ScoreTrajectory> pool;
  for (const std::string& family : FamiliesOf(models)) {
    const std::vector<PanelModel> sizes = FamilyOf(models, family);
    pool.push_back({"panel: " + family, LogSizesOf(sizes), ScoreMatrix(sizes, scores)});
  }
  return pool;
}

class ScoreForecaster {
 public:
  explicit ScoreForecaster(const QueryContext& context) : context_(context) {}

  Result<std::string> Run() {
    over_ = TRY(OverOf(context_.parameters));
    at_ = TRY(ParseNumber(context_.parameters, "at"));
    if (at_ && !(*at_ > 0)) return Fail(ErrorKind::kUsage, "--at must be above 0");
    const HistoryFilter filter = TRY(ParseFilter(context_.parameters, context_.clock));
    const std::vector<AxisPair> pairs = TRY(ParseAxes(context_.parameters, context_.config));
    const std::vector<TaskMetric> benchmarks = TRY(Benchmarks(context_.history, filter));
    json_.BeginArray();
    for (const TaskMetric& benchmark : benchmarks) {
      TRY(Forecast(pairs.empty() ? benchmark : pairs[0].reasoning, benchmark, WholeSeries(filter)));
    }
    return json_.EndArray().Text();
  }

 private:
  // Each takes some hundredths of a second, and the daemon answers others meanwhile.
  static constexpr int kMost = 200;

  Status Forecast(const TaskMetric& reasoning, const TaskMetric& benchmark,
                  const HistoryFilter& filter) {
    // Other runs are learnt from too: those of the same family over steps, all families over scale.
    HistoryFilter wide = filter;
    wide.run.clear();
    if (over_ == CouplingOver::kScale) wide.family.clear();
    const Families families = TRY(CollectFamilies(context_.history, reasoning, benchmark, wide));
    const std::vector<Subject> subjects =
        TRY(SubjectsOf(families, over_, context_.config.coupling.match));
    for (std::size_t s = 0; s < subjects.size(); ++s) {
      const Subject& subject = subjects[s];
      if (!filter.family.empty() && subject.family != filter.family) continue;
      if (!filter.run.empty() && subject.run != filter.run) continue;
      if (++made_ > kMost) {
        return Fail(ErrorKind::kUsage, fmt::format("that would be more than {} forecasts", kMost),
                    "narrow it with --task, --metric, --run or --family");
      }
      TRY(ForecastOne(subjects, s, reasoning, benchmark));
    }
    return {};
  }

  Status ForecastOne(const std::vector<Subject>& subjects, std::size_t s,
                     const TaskMetric& reasoning, const TaskMetric& benchmark) {
    const ScoreTrajectory& own = subjects[s].trajectory;
    const Index columns = own.scores.cols();
    std::vector<ScoreTrajectory> pool;
    for (std::size_t other = 0; other < subjects.size(); ++other) {
      const ScoreTrajectory& of = subjects[other].trajectory;
      const bool is_kin =
          over_ == CouplingOver::kScale || subjects[other].family == subjects[s].family;
      if (other != s && is_kin && of.positions.size() > 0 && of.scores.cols() == columns) {
        pool.push_back(of);
      }
    }
    std::string suffix;
    if (context_.parameters.contains("panel") && over_ == CouplingOver::kScale) {
      const auto shipped =
          TRY(PanelPool(columns == 1 ? std::vector{benchmark} : std::vector{reasoning, benchmark}));
      pool.insert(pool.end(), shipped.begin(), shipped.end());
      suffix = "+panel";
    }
    ScoreForecast forecast;
    if (own.positions.size() == 0) {
      forecast.reason = over_ == CouplingOver::kScale
                            ? "the parameters of its runs are unknown"
                            : "the tokens of its checkpoints are unknown; set tokens_per_step";
    } else {
      const double last = own.positions[own.positions.size() - 1];
      forecast = ForecastScore(pool, own, at_ ? std::log10(*at_) : last + std::log10(2.0),
                               columns - 1, {.next_place = over_ == CouplingOver::kScale});
    }
    Write(subjects[s], benchmark, forecast, suffix);
    return {};
  }

  void Write(const Subject& subject, const TaskMetric& benchmark, const ScoreForecast& forecast,
             const std::string& suffix) {
    const Eigen::VectorXd& x = subject.trajectory.positions;
    const auto number = [](std::optional<double> place) {
      return place ? std::optional(std::pow(10, *place)) : std::nullopt;
    };
    json_.BeginObject().Field("family", subject.family).Key("run");
    subject.run.empty() ? json_.Null() : json_.Value(subject.run);
    json_.Field("quantity", "score").Field("task", benchmark.task);
    json_.Field("metric", benchmark.metric);
    json_.Field("over", ToString(over_));
    json_.Field("at", forecast.n > 0 ? number(forecast.at) : std::nullopt);
    json_.Field("method", forecast.method.empty() ? "" : forecast.method + suffix);
    json_.Field("value", forecast.value).Field("low", forecast.low);
    json_.Field("high", forecast.high).Field("level", 0.95);
    json_.Field("low80", forecast.low80).Field("high80", forecast.high80);
    json_.Key("last");
    x.size() > 0
        ? json_.Value(subject.trajectory.scores(x.size() - 1, subject.trajectory.scores.cols() - 1))
        : json_.Null();
    json_.Field("observed", x.size() > 0 ? number(x[x.size() - 1]) : std::nullopt);
    json_.Field("n", forecast.n).Field("past", forecast.past);
    json_.Field("past_error", forecast.value ? std::optional(forecast.past_error) : std::nullopt);
    json_.Key("weights").BeginObject();
    for (const auto& [method, weight] : forecast.weights) json_.Field(method, weight);
    json_.EndObject().Key("candidates").BeginArray();
    for (const ScoreCandidate& candidate : forecast.candidates) {
      json_.BeginObject().Field("method", candidate.method).Field("value", candidate.value);
      json_.Field("past_error", candidate.past_error).EndObject();
    }
    json_.EndArray().Field("choice", forecast.choice);
    json_.Field("reason", forecast.reason).EndObject();
  }

  const QueryContext& context_;
  CouplingOver over_ = CouplingOver::kSteps;
  std::optional<double> at_;
  int made_ = 0;
  JsonWriter json_;
};

// Intervals of a trajectory, and of its item replicates.
struct OdeInput {
  OdeRows rows;
  std::vector<OdeRows> items;
  int n = 0;
};

Eigen::MatrixXd Columns(const Eigen::VectorXd& reasoning, const Eigen::VectorXd& truthfulness) {
  Eigen::MatrixXd both(reasoning.size(), 2);
  both << reasoning, truthfulness;
  return both;
}

Result<OdeInput> InputOf(const AxisSeries& series, CouplingOver over, std::string& reason) {
  const ForecastPlaces places = TRY(MakePlaces(series, over, "ode", {.replicates = 200}));
  OdeInput input;
  input.n = places.forecast.n;
  reason = places.forecast.reason;
  if (!reason.empty()) return input;
  const AxisSample& reasoning = places.sample.reasoning;
  const AxisSample& truthfulness = places.sample.truthfulness;
  input.rows = MakeOdeRows(places.positions, Columns(reasoning.scores, truthfulness.scores));
  for (Index b = 0; b < places.sample.Replicates(); ++b) {
    input.items.push_back(MakeOdeRows(
        places.positions, Columns(reasoning.scores + reasoning.draws.row(b).transpose(),
                                  truthfulness.scores + truthfulness.draws.row(b).transpose())));
  }
  return input;
}

// Several runs as one: replicate b of all of them belongs together.
OdeInput Stack(const std::vector<OdeInput>& runs) {
  OdeInput stacked;
  std::vector<OdeRows> rows;
  for (const OdeInput& run : runs) {
    rows.push_back(run.rows);
    stacked.n += run.n;
  }
  stacked.rows = StackOdeRows(rows);
  for (std::size_t b = 0; b < runs[0].items.size(); ++b) {
    for (std::size_t r = 0; r < runs.size(); ++r) rows[r] = runs[r].items[b];
    stacked.items.push_back(StackOdeRows(rows));
  }
  return stacked;
}

void WriteTerms(JsonWriter& json, const AxisSeries& series, CouplingOver over, bool is_ladder,
                const OdeInput& input, std::string reason) {
  const std::vector<std::string> axes = {series.axes.reasoning.Text(),
                                         series.axes.truthfulness.Text()};
  std::optional<OdeEnsemble> ensemble;
  if (reason.empty()) {
    auto fit = FitOdeEnsemble(input.rows, input.items, {.level = series.axes.level});
    if (fit) {
      ensemble = *std::move(fit);
    } else {
      reason = fit.error().Text() + (fit.error().hint.empty() ? "" : "; " + fit.error().hint);
    }
  }
  const std::vector<std::string> terms = OdeTermNames(axes, 1);
  for (Index axis = 0; axis < (ensemble ? 2 : 1); ++axis) {
    for (Index term = 0; term < (ensemble ? static_cast<Index>(terms.size()) : 1); ++term) {
      json.BeginObject().Field("family", series.family).Key("run");
      over == CouplingOver::kScale || is_ladder ? json.Null() : json.Value(series.run);
      json.Field("axes", series.AxesText()).Field("quantity", "ode");
      json.Field("over", ToString(over)).Key("equation");
      ensemble ? json.Value(axes[axis]) : json.Null();
      json.Key("term");
      ensemble ? json.Value(terms[term]) : json.Null();
      const auto field = [&](const char* name, const Eigen::MatrixXd OdeEnsemble::*of) {
        json.Field(name, ensemble ? std::optional(((*ensemble).*of)(term, axis)) : std::nullopt);
      };
      json.Field("value", ensemble ? std::optional(ensemble->fit.model.coefficients(term, axis))
                                   : std::nullopt);
      field("low", &OdeEnsemble::low);
      field("high", &OdeEnsemble::high);
      json.Field("level", series.axes.level);
      field("inclusion", &OdeEnsemble::inclusion);
      json.Field("threshold", ensemble ? std::optional(ensemble->fit.threshold) : std::nullopt);
      json.Field("n", input.n).Field("reason", reason).EndObject();
    }
  }
}

Status TermsOverSteps(JsonWriter& json, const std::vector<AxisSeries>& runs) {
  std::vector<OdeInput> usable;
  for (const AxisSeries& run : runs) {
    std::string reason;
    const OdeInput input = TRY(InputOf(run, CouplingOver::kSteps, reason));
    WriteTerms(json, run, CouplingOver::kSteps, false, input, reason);
    if (reason.empty()) usable.push_back(input);
  }
  if (usable.size() > 1) {
    WriteTerms(json, runs[0], CouplingOver::kSteps, true, Stack(usable), "");
  }
  return {};
}

}  // namespace

Result<std::string> AnswerScoreForecasts(const QueryContext& context) {
  return ScoreForecaster(context).Run();
}

Result<std::string> AnswerOdeTerms(const QueryContext& context) {
  const CouplingOver over = TRY(OverOf(context.parameters));
  const HistoryFilter filter = WholeSeries(TRY(ParseFilter(context.parameters, context.clock)));
  JsonWriter json;
  json.BeginArray();
  for (const AxisPair& pair : TRY(ParseAxes(context.parameters, context.config))) {
    Families families;
    for (AxisSeries& series : TRY(CollectSeries(context.history, pair, filter))) {
      families[series.family].push_back(std::move(series));
    }
    for (const auto& [family, runs] : families) {
      if (over == CouplingOver::kSteps) {
        TRY(TermsOverSteps(json, runs));
        continue;
      }
      const auto sizes = FamilySeries(runs, context.config.coupling.match);
      std::string reason = sizes ? "" : sizes.error().Text();
      OdeInput input;
      if (sizes) input = TRY(InputOf(sizes->series, over, reason));
      WriteTerms(json, sizes ? sizes->series : runs[0], over, false, input, reason);
    }
  }
  return json.EndArray().Text();
}

}  // namespace couplingd
