#include "cli/cli.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "cli/commands.h"
#include "cli/internals_verb.h"
#include "cli/screen_text.h"
#include "cli/steer_verb.h"

namespace couplingd {
namespace {

constexpr int kUsageStatus = 64;

void AddGlobalOptions(CLI::App& app, CommandContext& context) {
  app.add_option("--config", context.source.config,
                 "Configuration; else $COUPLINGD_CONFIG, else /etc/couplingd/couplingd.yaml");
  auto* db = app.add_option("--db", context.source.db,
                            "Ask this database (or state directory) and no daemon");
  app.add_option("--socket", context.source.socket, "Ask the daemon at this socket")->excludes(db);
  app.add_flag("--ascii", context.ascii, "Plain ASCII, also in plots");
  app.set_version_flag("--version", std::string("couplingctl ") + COUPLINGD_VERSION);
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  couplingctl status\n"
      "  couplingctl coupling --run web-1b --plot\n"
      "  couplingctl import lm-eval results/ && couplingctl coupling --family pythia --over scale\n"
      "  couplingctl evaluate out/checkpoint-500 --pack packs/arc_easy --gate 'arc_easy.acc>=0.4'\n"
      "Exit status: 0; with --gate 1 does not hold, 2 undetermined; 64 usage, 65 bad data, 69 "
      "unreachable, 70 internal");
}

// The word that should have been a verb, with the nearest verb.
std::string UnknownVerb(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--config" || word == "--db" || word == "--socket") ++i;
    if (word.starts_with('-')) continue;
    if (std::ranges::find(names, word) != names.end()) return "";
    const auto nearest = Nearest(word, std::vector<std::string_view>(names.begin(), names.end()));
    return nearest
               ? fmt::format("there is no verb \"{}\"; did you mean \"{}\"?", word, *nearest)
               : fmt::format("there is no verb \"{}\"; there are {}", word, fmt::join(names, ", "));
  }
  return "";
}

int Fails(const CommandContext& context, const Error& error) {
  context.Say("couplingctl: " + Printable(error.Text(), /*keep_lines=*/true) + "\n");
  return ExitCode(error.kind);
}

// Parses; nothing where the command may run, else the exit status.
std::optional<int> Parse(CLI::App& app, const CommandContext& context,
                         const std::vector<std::string>& arguments) {
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(std::move(reversed));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    const CLI::App* asked = &app;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands()[0];
    context.Print(asked->help());
    return 0;
  } catch (const CLI::CallForVersion& version) {
    context.Print(std::string(version.what()) + "\n");
    return 0;
  } catch (const CLI::ParseError& error) {
    const std::string verb = UnknownVerb(app, arguments);
    context.Say(fmt::format("couplingctl: {}\n", Printable(verb.empty() ? error.what() : verb)));
    context.Say("couplingctl --help, and --help after any verb, say how it goes\n");
    return kUsageStatus;
  }
}

}  // namespace

void CommandContext::Print(std::string_view text) const {
  terminal.out << (PlainAscii() ? ToAscii(text) : std::string(text));
}

void CommandContext::Say(std::string_view text) const {
  terminal.out.flush();
  terminal.err << (PlainAscii() ? ToAscii(text) : std::string(text));
}

int RunCli(const std::vector<std::string>& arguments, const CliServices& services,
           const Terminal& terminal) {
  CLI::App app("Asks couplingd about training runs, their checkpoints, couplings and alerts.",
               "couplingctl");
  CommandContext context{services, terminal};
  AddGlobalOptions(app, context);
  AddReadVerbs(app, context);
  AddAlertVerbs(app, context);
  AddWriteVerbs(app, context);
  AddCompareVerb(app, context);
  AddRescoreVerb(app, context);
  AddEvaluateVerb(app, context);
  AddVerifyVerb(app, context);
  AddInternalsVerb(app, context);
  AddSteerVerb(app, context);
  AddPackVerbs(app, context);
  AddPanelVerbs(app, context);
  AddFrontierVerb(app, context);
  AddConfigVerbs(app, context);
  if (arguments.empty()) {
    context.Print(app.help());
    return kUsageStatus;
  }
  if (const auto status = Parse(app, context, arguments)) return *status;
  if (!context.run)
    return Fails(context, {ErrorKind::kUsage, "nothing to do", "see couplingctl --help"});
  const Result<int> status = context.run();
  terminal.out.flush();
  if (status && !terminal.out) {
    return Fails(context, {ErrorKind::kExhausted, "the output could not be written"});
  }
  return status ? *status : Fails(context, status.error());
}

}  // namespace couplingd
