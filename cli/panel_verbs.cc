// panel and reproduce: what others published, and what it gives when computed again.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/screen_text.h"
#include "cli/views.h"
#include "queries/panel_answers.h"

namespace couplingd {
namespace {

struct PanelCommand {
  Format format;
  PanelQuery query;
  bool cleaned = false, as_published = false;
};

// What the flaws of the listed rows mean.
std::string Legend(const CommandContext& context, const BasePanel& panel, const JsonValue& rows) {
  std::string text;
  for (const PanelFlaw& flaw : panel.flaws) {
    const auto marked = std::ranges::count_if(rows.GetArray(), [&](const JsonValue& row) {
      return std::ranges::any_of(row["flaws"].GetArray(), [&](const JsonValue& name) {
        return flaw.name == name.GetString();
      });
    });
    if (marked == 0) continue;
    const std::string line = fmt::format("{} ({} of {} rows, {}): {}", flaw.name, marked,
                                         rows.Size(), ToString(flaw.treatment), flaw.explanation);
    for (const std::string& part :
         Wrap(line, static_cast<std::size_t>(std::max(context.terminal.columns, 40)))) {
      text += part + "\n";
    }
  }
  return text.empty() ? "" : "\n" + text;
}

Result<int> ListPanel(const CommandContext& context, const PanelCommand& command) {
  const BasePanel panel = TRY(ShippedBasePanel());
  PanelQuery query = command.query;
  if (command.as_published && query.table.empty()) query.table = "consolidated";
  const JsonDocument rows = TRY(ParseJson(TRY(AnswerPanel(panel, query)), "the panel"));
  TRY(PrintRows(context, command.format, "panel", rows));
  if (!command.format.json && !command.format.csv) context.Print(Legend(context, panel, rows));
  return 0;
}

struct ReproduceCommand {
  Format format;
  ReproduceOptions options;
};

std::string Summary(const JsonValue& rows) {
  std::map<std::string, int> counts;
  for (const JsonValue& row : rows.GetArray()) ++counts[TextOf(row, "verdict")];
  std::vector<std::string> parts;
  for (const auto& [verdict, count] : counts) parts.push_back(fmt::format("{} {}", count, verdict));
  return fmt::format("\n{} quantities: {}\n", rows.Size(), fmt::join(parts, ", "));
}

Result<int> ReproduceRows(const CommandContext& context, const ReproduceCommand& command) {
  const PublishedData data = TRY(ShippedData());
  const JsonDocument rows =
      TRY(ParseJson(TRY(AnswerReproduce(data, command.options)), "the reproduction"));
  TRY(PrintRows(context, command.format, "reproduce", rows));
  if (!command.format.json && !command.format.csv) context.Print(Summary(rows));
  return 0;
}

}  // namespace

void AddPanelVerbs(CLI::App& app, CommandContext& context) {
  auto list = std::make_shared<PanelCommand>();
  CLI::App* panel = app.add_subcommand(
      "panel", "Published scores of base models, with their sources and their flaws");
  panel->add_option("--family", list->query.family, "Models of this family");
  auto* cleaned = panel->add_flag("--cleaned", list->cleaned,
                                  "Flawed rows left out, families and sources corrected (default)");
  auto* published = panel->add_flag("--as-published", list->as_published,
                                    "The original's 63 rows, as they stand there");
  panel
      ->add_option("--table", list->query.table,
                   "A table of the original, as published: consolidated, collected, bootstrap, "
                   "figures")
      ->excludes(cleaned);
  published->excludes(cleaned);
  list->format.AddTo(*panel);
  panel->footer("Example:\n  couplingctl panel --family Pythia --as-published");
  panel->callback(
      [&context, list] { context.run = [&context, list] { return ListPanel(context, *list); }; });

  auto rows = std::make_shared<ReproduceCommand>();
  CLI::App* reproduce = app.add_subcommand(
      "reproduce", "Published numbers, computed again from the published data: which hold");
  reproduce->add_option("--row", rows->options.ids, "Only these claims (1 to 39)");
  reproduce->add_option("--replicates", rows->options.replicates,
                        "Of bootstraps and permutations (10000, as published)");
  reproduce->add_option("--seed", rows->options.seed, "Of the random numbers (1)");
  rows->format.AddTo(*reproduce);
  reproduce->footer("Example:\n  couplingctl reproduce --row 2 6");
  reproduce->callback([&context, rows] {
    context.run = [&context, rows] { return ReproduceRows(context, *rows); };
  });
}

}  // namespace couplingd
