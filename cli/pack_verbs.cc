#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/pack_rows.h"
#include "cli/screen_text.h"
#include "probes/benchmark/benchmark_size.h"
#include "probes/benchmark/pack.h"
#include "probes/benchmark/sources.h"

namespace couplingd {
namespace {

struct PackCommand {
  std::string kind, out;
  std::vector<std::string> sources;
  BuildOptions options;
  Format format;
  bool json = false;
};

struct FoundPack {
  Pack pack;
  std::string path;  // empty: built on the spot
};

std::string RowsJson(const std::vector<FoundPack>& packs) {
  JsonWriter json;
  json.BeginArray();
  for (const FoundPack& found : packs) WritePackRow(json, found.pack, found.path);
  return json.EndArray().Text();
}

// As wide as the terminal, two blanks before every line but the first.
void Lines(const CommandContext& context, const std::string& text) {
  std::string indent;
  const auto width = static_cast<std::size_t>(std::max(context.terminal.columns, 40));
  for (const std::string& line : Wrap(text, width - 2)) {
    context.Print(std::exchange(indent, "  ") + line + "\n");
  }
}

Status Describe(const CommandContext& context, const PackCommand& command,
                const std::vector<FoundPack>& packs) {
  if (command.json) {
    context.PrintData(RenderJsonRows(TRY(ParseJson(RowsJson(packs), "packs"))));
    return {};
  }
  for (const auto& [pack, path] : packs) {
    Lines(context,
          fmt::format("{}: {} items, metrics {}, version {}, {} shots, hash {}{}{}",
                      Printable(pack.name), pack.items.size(), fmt::join(pack.metrics, ", "),
                      Printable(pack.version), pack.fewshot.n, PackHash(pack),
                      path.empty() ? "" : " in ", Printable(path)));
    const std::string warning = SizeWarning(pack);
    if (!warning.empty()) Lines(context, "  " + Printable(warning));
  }
  return {};
}

Result<int> Build(const CommandContext& context, const PackCommand& command) {
  std::vector<FoundPack> built;
  for (Pack& pack : TRY(BuildPacks(command.kind, command.sources, command.options))) {
    const std::string folder = JoinPath(command.out, pack.name);
    TRY(WritePack(pack, folder));
    built.push_back({std::move(pack), folder});
  }
  TRY(Describe(context, command, built));
  return 0;
}

Result<int> CheckPacks(const CommandContext& context, const PackCommand& command) {
  std::vector<FoundPack> read;
  for (const std::string& source : command.sources) {
    for (Pack& pack : TRY(OpenPacks(source))) read.push_back({std::move(pack), ""});
  }
  TRY(Describe(context, command, read));
  return 0;
}

bool IsPack(const std::string& folder) {
  return ::access(JoinPath(folder, "pack.json").c_str(), F_OK) == 0;
}

// Every pack that can be read; the first that cannot is the error, after the list.
Result<int> List(const CommandContext& context, const PackCommand& command) {
  std::vector<std::string> folders;
  for (const std::string& folder : command.sources) {
    if (IsPack(folder)) folders.push_back(folder);
    for (const std::string& name : TRY(ListDirectory(folder))) {
      if (IsPack(JoinPath(folder, name))) folders.push_back(JoinPath(folder, name));
    }
  }
  std::vector<FoundPack> found;
  Status problem;
  for (const std::string& folder : folders) {
    Result<Pack> pack = LoadPack(folder);
    if (pack) {
      found.push_back({std::move(*pack), folder});
    } else if (problem) {
      problem = std::unexpected(std::move(pack).error());
    }
  }
  TRY(PrintRows(context, command.format, "pack list", TRY(ParseJson(RowsJson(found), "packs"))));
  TRY(std::move(problem));
  return 0;
}

void AddBuild(CLI::App& packs, CommandContext& context) {
  auto command = std::make_shared<PackCommand>();
  CLI::App* build = packs.add_subcommand("build", "Make packs from a benchmark's own files");
  build->add_option("KIND", command->kind, fmt::format("{}", fmt::join(PackKinds(), ", ")))
      ->required();
  build->add_option("SOURCE", command->sources, "The benchmark's files")->required();
  build->add_option("--out,-o", command->out, "Folder that gets one folder per pack")->required();
  build->add_option("--fewshot", command->options.preset,
                    "Worked examples before each question: lm-eval (its own number, the default) "
                    "or leaderboard-v1 (Open LLM Leaderboard v1)");
  build->add_option("--shots", command->options.shots, "So many in place of lm-eval's own number");
  build->add_option("--fewshot-from", command->options.shots_from,
                    "File of the split they are drawn from, as a rule train (mmlu: folder of its "
                    "dev files)");
  build->add_flag("--json", command->json, "Print JSON");
  build->footer(
      "Examples:\n  couplingctl pack build truthfulqa TruthfulQA.csv --out packs/\n"
      "  couplingctl pack build winogrande dev.jsonl --fewshot leaderboard-v1 --fewshot-from "
      "train_xl.jsonl -o packs/");
  build->callback([&context, command] {
    context.run = [&context, command] { return Build(context, *command); };
  });
}

void AddCheck(CLI::App& packs, CommandContext& context) {
  auto command = std::make_shared<PackCommand>();
  CLI::App* check = packs.add_subcommand(
      "check", "Read packs (or samples_*.jsonl, or a user's own items) and describe them");
  check->add_option("PACK", command->sources, "Pack folders or files")->required();
  check->add_flag("--json", command->json, "Print JSON");
  check->callback([&context, command] {
    context.run = [&context, command] { return CheckPacks(context, *command); };
  });
}

void AddList(CLI::App& packs, CommandContext& context) {
  auto command = std::make_shared<PackCommand>();
  CLI::App* list = packs.add_subcommand("list", "The packs in a folder");
  list->add_option("DIR", command->sources, "Folders that hold pack folders")->required();
  command->format.AddTo(*list);
  list->callback([&context, command] {
    context.run = [&context, command] { return List(context, *command); };
  });
}

}  // namespace

void AddPackVerbs(CLI::App& app, CommandContext& context) {
  CLI::App* packs = app.add_subcommand("pack", "Item packs: what checkpoints are asked");
  packs->require_subcommand(1);
  AddBuild(*packs, context);
  AddPackShow(*packs, context);
  AddCheck(*packs, context);
  AddList(*packs, context);
}

}  // namespace couplingd
