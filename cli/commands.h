// The verbs of couplingctl. Each group adds its subcommands to the command line; the one that is
// chosen leaves what to run in the context.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "cli/cli.h"
#include "cli/source.h"

namespace couplingd {

struct CommandContext {
  const CliServices& services;
  const Terminal& terminal;
  SourceOptions source;
  bool ascii = false;
  std::function<Result<int>()> run;  // the exit status, once the command line has been read

  // To stdout and stderr, in ASCII where the terminal or --ascii ask for it.
  void Print(std::string_view text) const;
  void Say(std::string_view text) const;
  // JSON, CSV and files for programs: to stdout as they stand.
  void PrintData(std::string_view text) const { terminal.out << text; }
  bool PlainAscii() const { return ascii || !terminal.utf8; }
};

void AddReadVerbs(CLI::App& app,
                  CommandContext& context);  // status runs checkpoints scores history …
void AddAlertVerbs(CLI::App& app, CommandContext& context);  // alerts list|why|test
void AddAlertChanges(CLI::App& alerts,
                     CommandContext& context);  // alerts silence|unsilence|silences|ack|redeliver …
void AddReplayVerb(CLI::App& alerts, CommandContext& context);  // alerts replay
void AddImportLoss(CLI::App& import, CommandContext& context);  // import loss
void AddWriteVerbs(CLI::App& app, CommandContext& context);     // import notify retry
void AddConfigVerbs(CLI::App& app, CommandContext& context);    // check-config init
void AddPackVerbs(CLI::App& app, CommandContext& context);      // pack build|show|check|list
void AddPackShow(CLI::App& packs, CommandContext& context);     // pack show
void AddCompareVerb(CLI::App& app, CommandContext& context);    // compare
void AddRescoreVerb(CLI::App& app, CommandContext& context);    // rescore
void AddVerifyVerb(CLI::App& app, CommandContext& context);     // verify
void AddEvaluateVerb(CLI::App& app, CommandContext& context);   // evaluate
void AddPanelVerbs(CLI::App& app, CommandContext& context);     // panel reproduce
void AddFrontierVerb(CLI::App& app, CommandContext& context);   // frontier

// How an answer is shown: table unless --json or --csv.
struct Format {
  bool json = false;
  bool csv = false;
  void AddTo(CLI::App& command);
};

// Prints rows of a verb (views.h) in that format.
Status PrintRows(const CommandContext& context, const Format& format, std::string_view verb,
                 const JsonValue& rows);

}  // namespace couplingd
