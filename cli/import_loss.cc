#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/screen_text.h"
#include "queries/loss_files.h"
#include "queries/loss_record.h"

namespace couplingd {
namespace {

// Of one file; more would not show in any fit.
constexpr std::size_t kMostPoints = 4000;

struct ImportLossCommand {
  std::string run, key;
  std::vector<std::string> paths;
  bool json = false;
};

// Through the daemon, or by ourselves while none runs.
Result<LossSummary> Submit(const Places& places, const CliServices& services,
                           const LossImport& import) {
  const auto answer = PostToDaemon(places, services, "losses", ToJson(import));
  if (!answer && answer.error().kind == ErrorKind::kUnavailable) {
    return RecordLosses(*TRY(OpenWriter(places, services)), import);
  }
  return LossSummaryFromJson(TRY(answer));
}

Result<int> ImportLoss(const CommandContext& context, const ImportLossCommand& command) {
  std::vector<LossLog> logs;
  for (const std::string& path : command.paths) {
    logs.push_back(TRY(ReadLossLog(path, command.key)));
  }
  const Places places = TRY(FindPlaces(context.source, context.services));
  LossSummary total;
  std::string lines;
  for (const LossLog& log : logs) {
    const LossSummary summary = TRY(Submit(
        places, context.services, {command.run, log.source, ThinLosses(log.points, kMostPoints)}));
    total.points += summary.points;
    total.recorded += summary.recorded;
    for (const std::string& note : log.notes) context.Say("note: " + Printable(note) + "\n");
    if (log.points.size() > kMostPoints) {
      context.Say(fmt::format("note: {}: {} points averaged into {}\n", Printable(log.source),
                              log.points.size(), kMostPoints));
    }
    lines +=
        fmt::format("{}: {} ({}), steps {} to {}: {}\n", Printable(log.source), Printable(log.name),
                    log.format, log.points.front().step, log.points.back().step,
                    summary.recorded > 0 ? fmt::format("{} points recorded", summary.recorded)
                                         : "already there");
  }
  if (command.json) {
    context.PrintData(ToJson(total) + "\n");
  } else {
    context.Print(lines);
  }
  return 0;
}

}  // namespace

void AddImportLoss(CLI::App& import, CommandContext& context) {
  CLI::App* verb = import.add_subcommand(
      "loss",
      "Training losses: trainer_state.json, TensorBoard, .wandb, JSON lines, Megatron, CSV");
  auto command = std::make_shared<ImportLossCommand>();
  verb->add_option("RUN", command->run, "The run they belong to")->required();
  verb->add_option("FILE", command->paths, "Logs of it")->required();
  verb->add_option("--key", command->key,
                   "What the log calls the training loss, where that is not plain");
  verb->add_flag("--json", command->json, "Print the summary as JSON");
  verb->footer("Example:\n  couplingctl import loss web-1b out/checkpoint-9000/trainer_state.json");
  verb->callback([&context, command] {
    context.run = [&context, command] { return ImportLoss(context, *command); };
  });
}

}  // namespace couplingd
