#include "base/files.h"
#include "cli/commands.h"
#include "cli/frontier_view.h"
#include "cli/table.h"
#include "coupling/frontier/frontier.h"
#include "coupling/frontier/predictions.h"
#include "queries/frontier_answer.h"

namespace couplingd {
namespace {

constexpr std::size_t kMostBytes = 16u << 20;

struct FrontierCommand {
  Format format;
  std::string table;
  FrontierColumns columns;
  FrontierOptions options;
};

Result<std::string> AnswerFor(const FrontierCommand& command) {
  if (!command.table.empty()) {
    const std::string text = TRY(ReadFile(command.table, kMostBytes));
    const FrontierTable table = TRY(ReadFrontierTable(text, command.table, command.columns));
    const auto report = AnalyseFrontier(table, command.options);
    if (!report) return std::unexpected(report.error().Within(command.table));
    return FrontierAnswer(table, command.options, *report, {});
  }
  const FrontierData data = TRY(ShippedFrontier());
  const FrontierReport report = TRY(AnalyseFrontier(data.table, command.options));
  return FrontierAnswer(data.table, command.options, report, TRY(JudgePredictions(data, report)));
}

Result<int> Show(const CommandContext& context, const FrontierCommand& command) {
  const std::string text = TRY(AnswerFor(command));
  if (command.format.json) {
    context.PrintData(text + "\n");
    return 0;
  }
  const JsonDocument answer = TRY(ParseJson(text, "answer to frontier"));
  if (command.format.csv) {
    context.PrintData(
        RenderCsv(*FindMember(answer, "models"), {"name", "lab", "date", "x", "y", "h", "low",
                                                  "high", "side", "fitted", "flaws", "source"}));
    return 0;
  }
  context.Print(RenderFrontier(answer, static_cast<std::size_t>(context.terminal.columns)));
  return 0;
}

}  // namespace

void AddFrontierVerb(CLI::App& app, CommandContext& context) {
  auto command = std::make_shared<FrontierCommand>();
  CLI::App* frontier = app.add_subcommand(
      "frontier",
      "Two scores over models of many labs: the line, who lies off it, and what of it "
      "is the passage of time");
  auto* table = frontier->add_option(
      "--table", command->table,
      "CSV of your own: name,lab,date,x,y and, where you like, subset (post-cutoff: not fitted)");
  const auto of_table = [&](CLI::Option* option) { option->needs(table); };
  of_table(frontier->add_option("--x", command->columns.x, "Its column of the first score"));
  of_table(frontier->add_option("--y", command->columns.y, "Its column of the second score"));
  of_table(frontier->add_flag("--percent", command->columns.percent,
                              "Its scores are percent, not fractions"));
  frontier->add_option("--top", command->options.top, "Models whose spread is looked at")
      ->check(CLI::Range(2, 1000));
  command->format.AddTo(*frontier);
  frontier->footer(
      "Examples:\n  couplingctl frontier\n"
      "  couplingctl frontier --table scores.csv --x swe --y gpqa --percent");
  frontier->callback([&context, command] {
    context.run = [&context, command] { return Show(context, *command); };
  });
}

}  // namespace couplingd
