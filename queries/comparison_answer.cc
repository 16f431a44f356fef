#include "queries/comparison_answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/units.h"
#include "queries/comparison_lines.h"
#include "queries/item_reader.h"
#include "queries/parameters.h"

namespace couplingd {
namespace {

constexpr double kTolerance = 0.02;

struct Setting {
  std::string name, a, b;
};

std::string TextOf(const std::optional<double>& count) {
  return count ? FormatCount(*count) : "unknown";
}

const RunConfig* Configured(const Config& config, const std::string& run) {
  const auto found = std::ranges::find(config.runs, run, &RunConfig::name);
  return found == config.runs.end() ? nullptr : &*found;
}

// What the runs' records and their configuration say, where it differs.
std::vector<Setting> DifferingSettings(const Run& a, const Run& b, const Config& config) {
  const auto width = [](const Run& run) {
    return run.d_model ? std::to_string(*run.d_model) : std::string("unknown");
  };
  std::vector<Setting> settings = {
      {"family", a.family, b.family},
      {"parameters", TextOf(a.parameters), TextOf(b.parameters)},
      {"d_model", width(a), width(b)},
      {"tokens_per_step", TextOf(a.tokens_per_step), TextOf(b.tokens_per_step)},
      {"generation", std::to_string(a.generation), std::to_string(b.generation)},
  };
  const RunConfig* of_a = Configured(config, a.name);
  const RunConfig* of_b = Configured(config, b.name);
  if (of_a && of_b) {
    settings.push_back({"layout", of_a->layout, of_b->layout});
    settings.push_back({"model_config", of_a->model_config, of_b->model_config});
    settings.push_back({"tokenizer", of_a->tokenizer, of_b->tokenizer});
  }
  std::erase_if(settings, [](const Setting& setting) { return setting.a == setting.b; });
  return settings;
}

Result<Run> NamedRun(const QueryContext& context, const char* parameter) {
  const auto name = context.parameters.find(parameter);
  if (name == context.parameters.end() || name->second.empty()) {
    return Fail(ErrorKind::kUsage, fmt::format("{}: the name of a run is missing", parameter));
  }
  const auto run = TRY(context.history.FindRun(name->second));
  if (run) return *run;
  std::string names;
  for (const Run& known : TRY(context.history.Runs())) {
    names += (names.empty() ? "" : ", ") + known.name;
  }
  return Fail(ErrorKind::kNotFound, fmt::format("there is no run \"{}\"", name->second),
              names.empty() ? "the history has no runs yet" : "there are " + names);
}

Result<std::vector<ScoreRow>> RowsOf(HistoryReader& history, const Run& run) {
  HistoryFilter filter;
  filter.run = run.name;
  std::vector<ScoreRow> rows = TRY(history.Scores(filter));
  KeepCommonestSeries(rows);
  return rows;
}

std::vector<ScoreRow> OfTask(std::vector<ScoreRow> rows, const std::string& task) {
  std::erase_if(rows, [&](const ScoreRow& row) { return !task.empty() && row.score.task != task; });
  return rows;
}

void WriteSide(JsonWriter& json, const char* key, const Run& run, std::int64_t step,
               std::optional<double> tokens, const std::vector<ScoreRow>& rows) {
  const auto at = std::ranges::find(rows, step, &ScoreRow::step);
  json.Key(key).BeginObject().Field("run", run.name).Field("family", run.family);
  json.Field("parameters", run.parameters).Field("step", step).Field("tokens", tokens);
  json.Field("checkpoint", at == rows.end() ? std::string() : at->checkpoint).EndObject();
}

void WriteLine(JsonWriter& json, const ComparedLine& line) {
  json.BeginObject().Field("kind", line.kind).Field("what", line.what);
  json.Field("a", line.a).Field("b", line.b).Field("difference", line.difference);
  json.Field("low", line.low).Field("high", line.high).Field("level", line.level);
  json.Field("p", line.p).Field("p_holm", line.p_holm).Field("verdict", line.verdict);
  json.Field("survives", line.p_holm && *line.p_holm < 1 - line.level);
  json.Field("n", line.n).Field("method", line.method).Field("reason", line.reason).EndObject();
}

}  // namespace

Result<std::string> AnswerComparison(const QueryContext& context) {
  const Run a = TRY(NamedRun(context, "run_a")), b = TRY(NamedRun(context, "run_b"));
  if (a.name == b.name) return Fail(ErrorKind::kUsage, "a run is not compared with itself");
  const auto at = TRY(ParseNumber(context.parameters, "at"));
  const double tolerance = TRY(ParseNumber(context.parameters, "tolerance")).value_or(kTolerance);
  const auto rows_a = TRY(RowsOf(context.history, a)), rows_b = TRY(RowsOf(context.history, b));
  const MatchedCheckpoints match = TRY(MatchCheckpoints(rows_a, rows_b, at, tolerance));
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  const auto most = static_cast<std::size_t>(2 * context.config.coupling.window);
  std::vector<ComparedLine> lines = TRY(CompareScores(context.history, OfTask(rows_a, filter.task),
                                                      OfTask(rows_b, filter.task), match, most));
  const auto pairs = TRY(ParseAxes(context.parameters, context.config));
  for (ComparedLine& line :
       TRY(CompareCouplings(context.history, a, b, match, context.config.coupling, pairs))) {
    lines.push_back(std::move(line));
  }
  if (auto loss = TRY(CompareLosses(context.history, a, b, match))) {
    lines.push_back(*std::move(loss));
  }
  const int looked_at = AdjustForAll(lines);
  JsonWriter json;
  json.BeginObject();
  WriteSide(json, "a", a, match.step_a, match.tokens_a, rows_a);
  WriteSide(json, "b", b, match.step_b, match.tokens_b, rows_b);
  json.Field("matched_by", match.by).Field("apart", match.apart).Field("tolerance", tolerance);
  json.Key("settings").BeginArray();
  for (const Setting& setting : DifferingSettings(a, b, context.config)) {
    json.BeginObject().Field("name", setting.name).Field("a", setting.a).Field("b", setting.b);
    json.Field("source", "history").EndObject();
  }
  json.EndArray().Field("looked_at", looked_at).Key("lines").BeginArray();
  for (const ComparedLine& line : lines) WriteLine(json, line);
  return json.EndArray().EndObject().Text();
}

}  // namespace couplingd
