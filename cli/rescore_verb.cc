#include <fmt/format.h>

#include <map>

#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/import_submit.h"
#include "cli/screen_text.h"

namespace couplingd {
namespace {

constexpr std::string_view kAnswer = "answer to rescore";

struct RescoreCommand {
  QueryParameters parameters;
  Format format;
  bool record = false;
};

bool IsProblem(const JsonValue& row) { return FindMember(row, "problem") != nullptr; }

bool HasOnlyAggregates(const JsonValue& row) {
  const JsonValue* only = FindMember(row, "only_aggregates");
  return only && only->IsTrue();
}

Result<Evaluation> ReadEvaluation(const JsonValue& row) {
  const JsonValue* value = FindMember(row, "evaluation");
  if (!value) return Fail(ErrorKind::kInternal, "answer to rescore: a row without its evaluation");
  Evaluation evaluation;
  const auto text = [&](const char* key) { return GetString(*value, key, kAnswer); };
  evaluation.key = TRY(text("key"));
  evaluation.series_key = TRY(text("series_key"));
  evaluation.pack = TRY(text("pack"));
  evaluation.pack_hash = TRY(text("pack_hash"));
  evaluation.harness = TRY(text("harness"));
  evaluation.device = TRY(text("device"));
  evaluation.dtype = TRY(text("dtype"));
  evaluation.plan_hash = TRY(text("plan_hash"));
  evaluation.scores_hash = TRY(text("scores_hash"));
  evaluation.started_at = TRY(GetInt(*value, "started_at", kAnswer));
  evaluation.finished_at = TRY(GetInt(*value, "finished_at", kAnswer));
  return evaluation;
}

// What is new, as further evaluations of the same series: one per evaluation it was computed from.
// Imports join a run's newest generation, so only that one's scores can be recorded.
Result<std::vector<ImportedResult>> NewScores(const JsonValue& rows) {
  std::map<std::string, ImportedResult> results;
  for (const JsonValue& row : rows.GetArray()) {
    if (IsProblem(row) || FindMember(row, "stored")) continue;
    const Evaluation evaluation = TRY(ReadEvaluation(row));
    const std::int64_t step = TRY(GetInt(row, "step", kAnswer));
    ImportedResult& result =
        results[fmt::format("{}\n{}\n{}", TextOf(row, "run"), step, evaluation.key)];
    if (result.run.name.empty()) {
      result.run.name = TextOf(row, "run");
      result.run.family = TextOf(row, "family");
      result.source = result.checkpoint = TextOf(row, "checkpoint");
      result.step = step;
      result.evaluation = evaluation;
      result.evaluation.key += "|rescored";
    }
    Score score{.task = TextOf(row, "task"), .metric = TextOf(row, "metric")};
    score.value = TRY(GetDouble(row, "value", kAnswer));
    score.stderr_value = TRY(FindDouble(row, "stderr", kAnswer));
    score.n = TRY(FindInt(row, "n", kAnswer));
    // A later rescore with other metrics must not replace these.
    result.evaluation.key += ":" + score.task + "." + score.metric;
    result.evaluation.scores.push_back(std::move(score));
  }
  std::vector<ImportedResult> all;
  for (auto& [key, result] : results) all.push_back(std::move(result));
  return all;
}

Status Record(const CommandContext& context, const Places& places, const JsonValue& rows) {
  const std::vector<ImportedResult> results = TRY(NewScores(rows));
  if (results.empty()) {
    context.Say("nothing to record: every score is there already\n");
    return {};
  }
  const ImportSummary summary = TRY(SubmitImport(places, context.services, results));
  context.Say(fmt::format("recorded {} further scores of {} evaluations\n", summary.scores,
                          summary.recorded));
  return {};
}

// Rows worth a line, in the shape that tables take.
JsonDocument WithoutAggregates(const JsonValue& rows) {
  JsonDocument shown(rapidjson::kArrayType);
  for (const JsonValue& row : rows.GetArray()) {
    if (HasOnlyAggregates(row)) continue;
    shown.PushBack(JsonValue(row, shown.GetAllocator()), shown.GetAllocator());
  }
  return shown;
}

Result<int> Rescore(const CommandContext& context, const RescoreCommand& command) {
  QueryParameters parameters;
  for (const auto& [name, value] : command.parameters) {
    if (!value.empty()) parameters.emplace(name, value);
  }
  if (command.record && parameters.contains("generation")) {
    return Fail(ErrorKind::kUsage, "--record is for the newest generation of a run",
                "leave out --generation");
  }
  const Places places = TRY(FindPlaces(context.source, context.services));
  const std::string text =
      TRY(TRY(OpenSource(places, context.services))->Ask("rescore", parameters));
  const JsonDocument rows = TRY(ParseJson(text, kAnswer, {.max_bytes = 512u << 20}));
  if (!rows.IsArray()) return Fail(ErrorKind::kInternal, "the answer to rescore is no array");
  if (command.format.json || command.format.csv) {
    TRY(PrintRows(context, command.format, "rescore", rows));
  } else {
    TRY(PrintRows(context, command.format, "rescore", WithoutAggregates(rows)));
  }
  int aggregates = 0, problems = 0;
  std::string first;
  for (const JsonValue& row : rows.GetArray()) {
    if (!IsProblem(row)) continue;
    if (HasOnlyAggregates(row)) {
      ++aggregates;
    } else if (problems++ == 0) {
      first = TextOf(row, "problem");
    }
  }
  if (aggregates > 0) {
    context.Say(fmt::format("of {} tasks of checkpoints only aggregates are known\n", aggregates));
  }
  if (command.record) TRY(Record(context, places, rows));
  if (problems == 0) return 0;
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{} could not be computed, the first because {}",
                          problems == 1 ? "one" : std::to_string(problems), first));
}

}  // namespace

void AddRescoreVerb(CLI::App& app, CommandContext& context) {
  CLI::App* verb = app.add_subcommand(
      "rescore", "Compute metrics again from the stored log-likelihoods, without a model");
  auto command = std::make_shared<RescoreCommand>();
  const auto option = [&](const std::string& name, const std::string& help) {
    verb->add_option("--" + name, command->parameters[name], help);
  };
  option("run", "Runs of this name");
  option("family", "Runs of this family");
  option("task", "Scores of this task");
  option("metrics",
         "acc, acc_norm, acc_bytes, true_mass, log_odds, mc1, mc2 (commas between them)");
  option("step", "Steps A..B, A.. or ..B");
  option("generation", "Generation of a run that was rewound: a number, or all");
  command->format.AddTo(*verb);
  verb->add_flag("--record", command->record, "Record what is not in the history yet");
  verb->footer(
      "Example:\n  couplingctl rescore --run web-1b --task arc_easy --metrics acc_bytes --record");
  verb->callback([&context, command] {
    context.run = [&context, command] { return Rescore(context, *command); };
  });
}

}  // namespace couplingd
