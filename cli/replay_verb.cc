#include <fmt/format.h>

#include <algorithm>

#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/screen_text.h"
#include "queries/parameters.h"
#include "queries/replay_answer.h"

namespace couplingd {
namespace {

struct ReplayVerbOptions {
  Format format;
  std::string rules, since, until, run;
};

// The rules of the file over the configuration that is in use.
Result<Config> ConfigFor(const Places& places, const std::string& rules) {
  const Config base = places.config ? *places.config : TRY(ParseConfig("", "defaults"));
  return rules.empty() ? base : LoadConfigOver(base, rules);
}

Result<UnixMillis> TimeFrom(std::string_view option, const std::string& text, const Clock& clock) {
  const Result<HistoryFilter> filter = ParseFilter({{"since", text}}, clock);
  if (filter) return filter->since.value_or(0);
  return Fail(ErrorKind::kUsage,
              fmt::format("{}: \"{}\" is neither a span nor a time", option, text),
              filter.error().hint);
}

std::string Digest(const JsonValue& rows) {
  const auto count = [&](std::string_view word) {
    return std::count_if(rows.Begin(), rows.End(),
                         [&](const JsonValue& row) { return TextOf(row, "really") == word; });
  };
  return fmt::format(
      "{} would have fired; {} of them fired then too; {} fired then and would not now\n",
      count("too") + count("not"), count("too"), count("only"));
}

Result<int> RunReplay(const CommandContext& context, const ReplayVerbOptions& options) {
  const Places places = TRY(FindPlaces(context.source, context.services));
  if (places.database.empty()) {
    return Fail(ErrorKind::kUsage, "a replay reads the database itself, not through a daemon",
                "name it with --config FILE or --db FILE; a daemon may go on running");
  }
  const Config config = TRY(ConfigFor(places, options.rules));
  ReplayOptions replay{.run = options.run};
  replay.since = TRY(TimeFrom("--since", options.since, context.services.clock));
  replay.until = options.until.empty()
                     ? context.services.clock.Now()
                     : TRY(TimeFrom("--until", options.until, context.services.clock));
  if (replay.until < replay.since) {
    return Fail(ErrorKind::kUsage, "--until lies before --since");
  }
  const auto history = TRY(HistoryReader::Open(places.database, std::chrono::minutes(5)));
  const std::string text = TRY(ReplayAlerts(*history, config, replay));
  const JsonDocument rows = TRY(ParseJson(text, "replay"));
  TRY(PrintRows(context, options.format, "replay", rows));
  if (!options.format.json && !options.format.csv && !rows.Empty()) context.Print(Digest(rows));
  return 0;
}

}  // namespace

void AddReplayVerb(CLI::App& alerts, CommandContext& context) {
  CLI::App* command = alerts.add_subcommand(
      "replay", "What other rules would have done on the recorded history; nothing is sent");
  auto options = std::make_shared<ReplayVerbOptions>();
  command->add_option("--rules", options->rules,
                      "A file with `rules:` (axes and coupling may stand beside them), or a whole "
                      "configuration; else the rules in use");
  command->add_option("--since", options->since, "From 7d ago, or from 2026-11-01")->required();
  command->add_option("--until", options->until, "Up to then; now by default");
  command->add_option("--run", options->run, "Alerts about this run or family");
  options->format.AddTo(*command);
  command->footer(
      "Couplings, forecasts and scores are seen as they were recorded. Of a checkpoint only its "
      "last state\nis kept: one that failed and was evaluated later counts as queued in between. "
      "Silences and waiting\ntimes are no part of a replay.\n"
      "Example:\n  couplingctl alerts replay --rules new.yaml --since 7d");
  command->callback([&context, options] {
    context.run = [&context, options] { return RunReplay(context, *options); };
  });
}

}  // namespace couplingd
