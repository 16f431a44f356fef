#include <fmt/format.h>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/screen_text.h"
#include "probes/benchmark/pack.h"
#include "probes/benchmark/sources.h"

namespace couplingd {
namespace {

struct PackCommand {
  std::string kind, out;
  std::vector<std::string> sources;
  BuildOptions options;
};

void Describe(const CommandContext& context, const Pack& pack, const std::string& place) {
  context.Print(fmt::format("{}: {} items, metrics {}, version {}, hash {}{}{}\n",
                            Printable(pack.name), pack.items.size(), fmt::join(pack.metrics, ", "),
                            Printable(pack.version), PackHash(pack), place.empty() ? "" : " in ",
                            Printable(place)));
}

Result<int> Build(const CommandContext& context, const PackCommand& command) {
  for (const Pack& pack : TRY(BuildPacks(command.kind, command.sources, command.options))) {
    const std::string folder = JoinPath(command.out, pack.name);
    TRY(WritePack(pack, folder));
    Describe(context, pack, folder);
  }
  return 0;
}

Result<int> CheckPacks(const CommandContext& context, const PackCommand& command) {
  for (const std::string& source : command.sources) {
    for (const Pack& pack : TRY(OpenPacks(source))) Describe(context, pack, "");
  }
  return 0;
}

}  // namespace

void AddPackVerbs(CLI::App& app, CommandContext& context) {
  CLI::App* packs = app.add_subcommand("pack", "Item packs: what checkpoints are asked");
  packs->require_subcommand(1);
  auto command = std::make_shared<PackCommand>();
  CLI::App* build = packs->add_subcommand("build", "Make packs from a benchmark's own files");
  build->add_option("KIND", command->kind, fmt::format("{}", fmt::join(PackKinds(), ", ")))
      ->required();
  build->add_option("SOURCE", command->sources, "The benchmark's files")->required();
  build->add_option("--out,-o", command->out, "Folder that gets one folder per pack")->required();
  build->add_option(
      "--fewshot", command->options.preset,
      "Worked examples before each question: lm-eval (its own number, the default) or "
      "leaderboard-v1 (Open LLM Leaderboard v1)");
  build->add_option("--shots", command->options.shots, "So many in place of lm-eval's own number");
  build->add_option(
      "--fewshot-from", command->options.shots_from,
      "File of the split they are drawn from, as a rule train (mmlu: folder of its dev "
      "files)");
  build->footer(
      "Examples:\n  couplingctl pack build truthfulqa TruthfulQA.csv --out packs/\n"
      "  couplingctl pack build winogrande dev.jsonl --fewshot leaderboard-v1 --fewshot-from "
      "train_xl.jsonl -o packs/");
  build->callback([&context, command] {
    context.run = [&context, command] { return Build(context, *command); };
  });
  CLI::App* check = packs->add_subcommand(
      "check", "Read packs (or samples_*.jsonl, or a user's own items) and describe them");
  check->add_option("PACK", command->sources, "Pack folders or files")->required();
  check->callback([&context, command] {
    context.run = [&context, command] { return CheckPacks(context, *command); };
  });
}

}  // namespace couplingd
