#include <fmt/format.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/screen_text.h"
#include "config/config.h"
#include "config/example.h"

namespace couplingd {
namespace {

std::string ConfigFile(const CommandContext& context, const std::string& named) {
  if (!named.empty()) return named;
  if (!context.source.config.empty()) return context.source.config;
  const auto variable = context.services.environment.find("COUPLINGD_CONFIG");
  return variable != context.services.environment.end() ? variable->second
                                                        : context.services.default_config;
}

Result<int> Check(const CommandContext& context, const std::string& named) {
  const std::string file = ConfigFile(context, named);
  const Config config = TRY(LoadConfig(file));
  const std::vector<std::string> problems = CheckEnvironment(config);
  context.Print(fmt::format("{}: reads well: {} runs, {} axis pairs, {} rules, {} sinks\n",
                            Printable(file), config.runs.size(), config.axes.size(),
                            config.rules.size(), config.sinks.size()));
  if (problems.empty()) return 0;
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  return Fail(ErrorKind::kInvalidData, text);
}

struct InitCommand {
  std::string directory, output, store = "/var/lib/couplingd";
  std::vector<std::string> packs;
  bool example = false, force = false;
};

Result<int> Init(const CommandContext& context, const InitCommand& command) {
  if (!command.example && command.directory.empty()) {
    return Fail(ErrorKind::kUsage, "name the training job's output directory",
                "or --example for every key with its default");
  }
  std::vector<std::string> packs;
  for (const std::string& pack : command.packs) {
    packs.push_back(pack.find('/') == std::string::npos ? pack : TRY(RealPath(pack)));
  }
  const std::string text = command.example
                               ? ExampleConfigText()
                               : TRY(ProposeConfig(command.directory, command.store, packs));
  if (command.output.empty()) {
    context.PrintData(text);
    return 0;
  }
  if (!command.force && ::access(command.output.c_str(), F_OK) == 0) {
    return Fail(ErrorKind::kConflict, fmt::format("{} exists", command.output),
                "--force replaces it");
  }
  TRY(WriteFileAtomically(command.output, text, 0644));
  const Config config = TRY(LoadConfig(command.output));
  context.Say(fmt::format("wrote {}\n", Printable(command.output)));
  for (const std::string& problem : CheckEnvironment(config))
    context.Say("note: " + Printable(problem) + "\n");
  return 0;
}

}  // namespace

void AddConfigVerbs(CLI::App& app, CommandContext& context) {
  auto file = std::make_shared<std::string>();
  CLI::App* check = app.add_subcommand(
      "check-config", "Read a configuration and say everything that is wrong with it");
  check->add_option("FILE", *file, "The configuration; by default the one that is in use");
  check->footer("Example:\n  couplingctl check-config couplingd.yaml");
  check->callback(
      [&context, file] { context.run = [&context, file] { return Check(context, *file); }; });

  auto command = std::make_shared<InitCommand>();
  CLI::App* init =
      app.add_subcommand("init", "Write a configuration for a training job's output directory");
  init->add_option("DIR", command->directory,
                   "A run's directory, or one with several runs below it");
  init->add_option("--output,-o", command->output, "File to write; by default it is printed");
  init->add_option("--store", command->store, "State directory");
  init->add_option("--pack", command->packs, "Item packs to list (repeatable)");
  init->add_flag("--force", command->force, "Replace the file if it exists");
  init->add_flag("--example", command->example, "Print every key with its default instead");
  init->footer(
      "Example:\n  couplingctl init /checkpoints/my-run --pack packs/truthfulqa_mc2 -o "
      "couplingd.yaml");
  init->callback([&context, command] {
    context.run = [&context, command] { return Init(context, *command); };
  });
}

}  // namespace couplingd
