#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/numbers.h"
#include "base/units.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/import_submit.h"
#include "cli/screen_text.h"
#include "queries/import_csv.h"
#include "queries/import_lm_eval.h"
#include "queries/import_samples.h"
#include "records/checkpoint_names.h"

namespace couplingd {
namespace {

constexpr std::size_t kNotesShown = 10;

struct ImportCommand {
  std::vector<std::string> paths;
  ImportOptions options;
  std::string tokens_per_step, parameters;
  bool json = false;
};

Status ReadCounts(ImportCommand& command) {
  if (!command.tokens_per_step.empty()) {
    command.options.tokens_per_step = TRY(ParseCount(command.tokens_per_step));
  }
  if (!command.parameters.empty()) command.options.parameters = TRY(ParseCount(command.parameters));
  return {};
}

Result<int> Import(const CommandContext& context, ImportCommand& command, bool is_csv) {
  if (Status read = ReadCounts(command); !read) {
    return Fail(ErrorKind::kUsage, read.error().message, read.error().hint);
  }
  ImportBatch batch;
  if (is_csv) {
    for (const std::string& path : command.paths) {
      ImportBatch more = TRY(ReadCsv(path, command.options));
      std::ranges::move(more.results, std::back_inserter(batch.results));
    }
  } else {
    batch = TRY(ReadLmEval(command.paths, command.options));
  }
  const Places places = TRY(FindPlaces(context.source, context.services));
  if (!batch.samples.empty()) {
    const auto folder = TRY(WritableScoresFolder(places, context.services));
    if (folder) {
      TRY(AttachSamples(batch, *folder));
    } else {
      batch.notes.push_back(
          "samples are left out: the history's folder of raw scores cannot be written from here");
    }
  }
  ImportSummary summary = TRY(SubmitImport(places, context.services, batch.results));
  summary.notes.insert(summary.notes.begin(), batch.notes.begin(), batch.notes.end());
  if (command.json) {
    context.PrintData(ToJson(summary) + "\n");
    return 0;
  }
  for (std::size_t i = 0; i < summary.notes.size() && i < kNotesShown; ++i) {
    context.Say("note: " + Printable(summary.notes[i]) + "\n");
  }
  if (summary.notes.size() > kNotesShown) {
    context.Say(fmt::format("note: {} more such notes (--json shows all)\n",
                            summary.notes.size() - kNotesShown));
  }
  context.Print(fmt::format("{} results: {} recorded with {} scores, {} already there\n",
                            summary.results, summary.recorded, summary.scores, summary.unchanged));
  return 0;
}

void AddImport(CLI::App& app, CommandContext& context) {
  CLI::App* import = app.add_subcommand("import", "Record results of other harnesses as history");
  import->require_subcommand(1);
  for (const bool is_csv : {false, true}) {
    auto command = std::make_shared<ImportCommand>();
    CLI::App* verb = is_csv
                         ? import->add_subcommand(
                               "csv",
                               "Published scores: "
                               "run,family,parameters,step,tokens,task,metric,value[,stderr,n]")
                         : import->add_subcommand(
                               "lm-eval", "Results files of lm-evaluation-harness, of any release");
    verb->add_option("PATH", command->paths,
                     is_csv ? "CSV files"
                            : "results_*.json, or directories of them; samples_*.jsonl of\n"
                              "the same date give them their items")
        ->required();
    verb->add_option("--family", command->options.family, "Family of the runs");
    verb->add_option("--tokens-per-step", command->tokens_per_step,
                     "Tokens per training step, such as 2M");
    verb->add_flag("--json", command->json, "Print the summary as JSON");
    if (is_csv) {
      verb->add_flag("--percent", command->options.percent,
                     "Shares and accuracies are written in percent");
    } else {
      verb->add_option("--run", command->options.run, "Name of the run; for files of one model");
      verb->add_option("--step", command->options.step,
                       "Step of the checkpoint, where the files do not say");
      verb->add_flag("--final", command->options.final,
                     "Files without a step are of finished models");
      verb->add_option("--parameters", command->parameters, "Size of the model, such as 1.4B");
      verb->add_option("--d-model", command->options.d_model, "Width of the model");
    }
    verb->footer(is_csv ? "Example:\n  couplingctl import csv leaderboard.csv --percent"
                        : "Example:\n  couplingctl import lm-eval results/ --tokens-per-step 2M");
    verb->callback([&context, command, is_csv] {
      context.run = [&context, command, is_csv] { return Import(context, *command, is_csv); };
    });
  }
  AddImportLoss(*import, context);
  import->footer("Importing the same files again changes nothing.");
}

struct NotifyCommand {
  std::string run, path, tokens;
  std::optional<std::int64_t> step;
  bool ended = false;
};

Result<int> Notify(const CommandContext& context, const NotifyCommand& command) {
  if (command.path.empty() && !command.ended) {
    return Fail(ErrorKind::kUsage, "name the checkpoint's directory, or say --ended");
  }
  JsonWriter json;
  json.BeginObject().Field("run", command.run);
  json.Key("path");
  command.path.empty() ? json.Null() : json.Value(TRY(RealPath(command.path)));
  std::optional<std::int64_t> step = command.step;
  if (!step && !command.path.empty()) step = StepOfName(BaseName(command.path));
  json.Field("step", step);
  std::optional<double> tokens;
  if (!command.tokens.empty()) {
    const auto count = ParseCount(command.tokens);
    if (!count)
      return Fail(ErrorKind::kUsage, "--tokens: " + count.error().message, count.error().hint);
    tokens = *count;
  }
  json.Field("tokens", tokens).Field("ended", command.ended).EndObject();
  const Places places = TRY(FindPlaces(context.source, context.services));
  auto answer = PostToDaemon(places, context.services, "notify", json.Text());
  if (!answer && answer.error().kind == ErrorKind::kUnavailable) {
    answer.error().hint = "nothing is lost: couplingd finds the checkpoint by itself when it runs";
  }
  TRY(std::move(answer));
  return 0;
}

void AddNotify(CLI::App& app, CommandContext& context) {
  auto command = std::make_shared<NotifyCommand>();
  CLI::App* notify = app.add_subcommand(
      "notify", "Tell the daemon that a checkpoint is complete, or that its run has ended");
  notify->add_option("RUN", command->run, "Name of the run")->required();
  notify->add_option("PATH", command->path, "Directory of the checkpoint");
  notify->add_option("--step", command->step, "Its step, where the name does not tell");
  notify->add_option("--tokens", command->tokens, "Tokens seen up to it, such as 2.1B");
  notify->add_flag("--ended", command->ended, "The run has ended");
  notify->footer("Example:\n  couplingctl notify web-1b out/checkpoint-500 --tokens 1.05B");
  notify->callback([&context, command] {
    context.run = [&context, command] { return Notify(context, *command); };
  });
}

// The id that "12", a checkpoint's path, or "RUN@STEP" stand for.
Result<std::int64_t> FindId(AnswerSource& source, const std::string& name) {
  if (const auto id = ParseNumber<std::int64_t>(name)) return *id;
  const JsonDocument rows =
      TRY(ParseJson(TRY(source.Ask("checkpoints", {{"generation", "all"}})), "checkpoints"));
  const auto real = RealPath(name);
  std::optional<std::int64_t> found;
  for (const JsonValue& row : rows.GetArray()) {
    const std::string path = TextOf(row, "path");
    const std::string place = fmt::format("{}@{}", TextOf(row, "run"), IntegerCell(row, "step"));
    if (path == name || (real && path == *real) || place == name)
      found = TRY(GetInt(row, "id", "checkpoint"));
  }
  if (found) return *found;
  return Fail(ErrorKind::kNotFound, fmt::format("no checkpoint is called \"{}\"", name),
              "name its id, its path or RUN@STEP, as couplingctl checkpoints shows them");
}

Status RetryFromHere(const CommandContext& context, const Places& places, std::int64_t id) {
  const auto writer = TRY(OpenWriter(places, context.services));
  auto checkpoint = TRY(writer->reader().FindCheckpoint(id));
  if (!checkpoint)
    return Fail(ErrorKind::kNotFound, fmt::format("there is no checkpoint {}", id),
                "see couplingctl checkpoints");
  checkpoint->state = CheckpointState::kQueued;
  checkpoint->reason = "asked for by hand";
  checkpoint->attempts = 0;
  checkpoint->updated_at = context.services.clock.Now();
  TRY(writer->SaveCheckpoint(*checkpoint));
  return {};
}

struct RetryCommand {
  std::string checkpoint;
  bool failed = false;
  std::string run;
};

Status RetryOne(const CommandContext& context, const Places& places, std::int64_t id) {
  const std::string body = JsonWriter().BeginObject().Field("checkpoint", id).EndObject().Text();
  const auto answer = PostToDaemon(places, context.services, "retry", body);
  if (answer) {
    context.Print(fmt::format("checkpoint {} is queued\n", id));
    return {};
  }
  if (answer.error().kind != ErrorKind::kUnavailable) return std::unexpected(answer.error());
  TRY(RetryFromHere(context, places, id));
  context.Print(fmt::format("checkpoint {} is queued for when couplingd runs\n", id));
  return {};
}

Result<std::vector<std::int64_t>> FailedIds(AnswerSource& source, const std::string& run) {
  std::map<std::string, std::string> question;
  if (!run.empty()) question["run"] = run;
  const JsonDocument rows = TRY(ParseJson(TRY(source.Ask("checkpoints", question)), "checkpoints"));
  std::vector<std::int64_t> ids;
  for (const JsonValue& row : rows.GetArray()) {
    if (TextOf(row, "state") == "failed") ids.push_back(TRY(GetInt(row, "id", "checkpoint")));
  }
  return ids;
}

Result<int> Retry(const CommandContext& context, const RetryCommand& command) {
  if (command.failed != command.checkpoint.empty()) {
    return Fail(ErrorKind::kUsage, "retry takes a CHECKPOINT or --failed, one of the two",
                "see couplingctl retry --help");
  }
  const Places places = TRY(FindPlaces(context.source, context.services));
  const auto source = TRY(OpenSource(places, context.services));
  const std::vector<std::int64_t> ids =
      command.failed ? TRY(FailedIds(*source, command.run))
                     : std::vector<std::int64_t>{TRY(FindId(*source, command.checkpoint))};
  for (const std::int64_t id : ids) TRY(RetryOne(context, places, id));
  if (ids.empty()) context.Print("no checkpoint has failed\n");
  return 0;
}

void AddRetry(CLI::App& app, CommandContext& context) {
  auto command = std::make_shared<RetryCommand>();
  CLI::App* retry = app.add_subcommand(
      "retry", "Evaluate a checkpoint (again) that failed, was refused or was skipped");
  retry->add_option("CHECKPOINT", command->checkpoint, "Its id, its path, or RUN@STEP");
  auto* failed = retry->add_flag("--failed", command->failed, "All that have failed");
  retry->add_option("--run", command->run, "With --failed: of this run only")->needs(failed);
  retry->footer("Examples:\n  couplingctl retry web-1b@500\n  couplingctl retry --failed");
  retry->callback([&context, command] {
    context.run = [&context, command] { return Retry(context, *command); };
  });
}

}  // namespace

void AddWriteVerbs(CLI::App& app, CommandContext& context) {
  AddImport(app, context);
  AddNotify(app, context);
  AddRetry(app, context);
}

}  // namespace couplingd
