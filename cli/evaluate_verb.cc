#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/evaluate.h"
#include "cli/foreground.h"
#include "cli/gate.h"
#include "cli/screen_text.h"
#include "probes/benchmark/sources.h"

namespace couplingd {
namespace {

struct EvaluateCommand {
  ForegroundOptions foreground;
  std::string samples, gate, budget;
  std::vector<std::string> packs;
  bool internals = false;
  Format format;
};

// Where a pack lies: as it is named, or a name below the state directory's packs. KIND=FILE is
// built into `scratch`.
Result<std::vector<std::string>> FindPack(const std::string& name,
                                          const std::optional<Config>& config,
                                          const ScratchFolder& scratch) {
  if (::access(name.c_str(), R_OK) == 0 && !name.ends_with(".csv"))
    return std::vector{TRY(RealPath(name))};
  if (name.find('=') != std::string::npos || name.ends_with(".csv")) {
    std::vector<std::string> folders;
    for (const Pack& pack : TRY(OpenPacks(name))) {
      folders.push_back(scratch.Sub("packs/" + pack.name));
      TRY(WritePack(pack, folders.back()));
    }
    return folders;
  }
  if (config && name.find('/') == std::string::npos) {
    const std::string known = JoinPath(JoinPath(config->store.path, "packs"), name);
    if (::access(known.c_str(), R_OK) == 0) return std::vector{TRY(RealPath(known))};
    for (const std::string& pack : config->packs) {
      if (BaseName(pack) == name) return std::vector{TRY(RealPath(pack))};
    }
  }
  return Fail(ErrorKind::kNotFound, fmt::format("there is no pack \"{}\"", name),
              fmt::format("name a pack's folder or file, or KIND=FILE with a kind of {}",
                          fmt::join(PackKinds(), ", ")));
}

Result<WorkerRequest> MakeRequest(const EvaluateCommand& command,
                                  const std::optional<Config>& config,
                                  const ScratchFolder& scratch) {
  WorkerRequest request = TRY(MakeForegroundRequest(command.foreground, config, scratch));
  for (const std::string& pack : command.packs) {
    for (std::string& folder : TRY(FindPack(pack, config, scratch)))
      request.packs.push_back(std::move(folder));
  }
  if (!command.budget.empty()) {
    request.evaluation.budget = TRY(ParseItemBudget(command.budget));
  }
  if (command.internals) request.evaluation.internals = true;
  if (!command.samples.empty()) {
    std::error_code ignored;
    request.samples =
        std::filesystem::absolute(command.samples, ignored).lexically_normal().string();
  }
  return request;
}

Result<int> Evaluate(const CommandContext& context, const EvaluateCommand& command) {
  std::optional<Gate> gate;
  if (!command.gate.empty()) gate = TRY(ParseGate(command.gate));
  TRY(CheckRecordable(command.foreground));
  const auto places = TRY(ForegroundPlaces(context, command.foreground));
  const ScratchFolder scratch = TRY(ScratchFolder::Make(context.services));
  const WorkerRequest request =
      TRY(MakeRequest(command, places ? places->config : std::nullopt, scratch));
  const ForegroundResult result = TRY(RunInForeground(context, command.foreground, request));
  const std::string text = EvaluationJson(result.worker, result.about);
  const JsonDocument document = TRY(ParseJson(text, "evaluation"));
  const JsonValue& scores = document["scores"];
  if (command.format.json) {
    context.PrintData(text + "\n");
  } else {
    TRY(PrintRows(context, command.format, "scores", scores));
  }
  TRY(RecordForeground(context, command.foreground, request, result));
  if (!gate) return 0;
  const GateResult verdict = TRY(GateScores(*gate, scores));
  for (const std::string& reason : verdict.reasons)
    context.Say("gate: " + Printable(reason) + "\n");
  return static_cast<int>(verdict.verdict);
}

}  // namespace

void AddEvaluateVerb(CLI::App& app, CommandContext& context) {
  CLI::App* verb = app.add_subcommand("evaluate", "Evaluate one checkpoint now, in the foreground");
  auto command = std::make_shared<EvaluateCommand>();
  verb->add_option("DIR", command->foreground.directory, "The checkpoint's directory")->required();
  verb->add_option("--pack,-p", command->packs,
                   "Item pack: a name, folder or file, or KIND=FILE (repeatable)")
      ->required();
  verb->add_option("--samples", command->samples,
                   "Write one row per item there, in the shape of lm-eval's samples_*.jsonl");
  verb->add_option("--gate", command->gate,
                   "Exit 0 if the rule holds, 1 if not, 2 if undetermined: arc_easy.acc>=0.4");
  verb->add_option("--budget", command->budget,
                   "A seeded subset of each pack: 500items, or as many as can be asked in 60s");
  verb->add_flag("--internals", command->internals, "Look inside too, as the verb internals does");
  command->foreground.AddTo(*verb);
  command->format.AddTo(*verb);
  verb->footer(
      "Examples:\n  couplingctl evaluate out/checkpoint-500 --pack packs/truthfulqa_mc2 --pack "
      "arc_easy=arc_easy.jsonl\n"
      "  couplingctl evaluate model/ --pack mine.jsonl --samples samples_mine.jsonl --json");
  verb->callback([&context, command] {
    context.run = [&context, command] { return Evaluate(context, *command); };
  });
}

}  // namespace couplingd
