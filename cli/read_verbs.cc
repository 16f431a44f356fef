#include "cli/read_verbs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/gate.h"
#include "cli/object_text.h"
#include "cli/screen_text.h"
#include "cli/views.h"

namespace couplingd {
namespace {

struct Filter {
  std::string_view option;  // without the dashes; also the parameter of queries.h
  std::string_view help;
};

constexpr Filter kFilters[] = {
    {"name", "A run or a family; all of them by default"},  // stands without an option
    {"run", "Runs of this name"},
    {"family", "Runs of this family"},
    {"task", "Scores of this task"},
    {"metric", "Scores of this metric"},
    {"axes", "A configured pair, or TASK.METRIC,TASK.METRIC (reasoning first)"},
    {"over", "steps (of each run) or scale (sizes of a family)"},
    {"step", "Steps A..B, A.. or ..B"},
    {"tokens", "Tokens A..B, such as 1B..20B"},
    {"since", "Not older than 7d, or since 2026-11-01"},
    {"generation", "Generation of a run that was rewound: a number, or all"},
    {"limit", "At most so many rows"},
    {"at",
     "Size (families) or tokens (runs) to forecast scores at: 12B; twice the last by default"},
};

struct ReadVerb {
  std::string_view name;
  std::string_view help;
  std::vector<std::string_view> filters;
  bool plot = false, gate = false, recompute = false;
  std::string_view example;
  std::vector<Filter> flags = {};  // that are set or not
};

const std::vector<ReadVerb>& ReadVerbs() {
  static const std::vector<ReadVerb> verbs = {
      {"status",
       "What the daemon does, how much lies in the history, and what went wrong",
       {},
       false,
       false,
       false,
       "couplingctl status"},
      {"runs",
       "The training runs",
       {"run", "family"},
       false,
       false,
       false,
       "couplingctl runs --family pythia"},
      {"checkpoints",
       "The checkpoints of runs, their states and why",
       {"run", "family", "step", "tokens", "since", "generation", "limit"},
       false,
       false,
       false,
       "couplingctl checkpoints --run web-d64 --since 1d"},
      {"scores",
       "What checkpoints scored",
       {"run", "family", "task", "metric", "step", "tokens", "since", "generation", "limit"},
       false,
       false,
       false,
       "couplingctl scores --run pythia-1b --task arc_easy --metric acc --step 1000.. --csv"},
      {"noise",
       "How far scores jump by themselves, and what can be told apart",
       {"run", "family", "task", "metric", "step", "tokens", "since", "generation"},
       false,
       false,
       false,
       "couplingctl noise --run pythia-1b --task arc_easy"},
      {"history",
       "The trajectory of an axis pair, checkpoint by checkpoint",
       {"run", "family", "axes", "step", "tokens", "since", "generation"},
       true,
       false,
       true,
       "couplingctl history --run pythia-1b --axes arc_easy.acc,winogrande.acc --plot"},
      {"coupling",
       "How truthfulness moves as reasoning improves: γ12 with its interval",
       {"run", "family", "axes", "over", "step", "tokens", "since", "generation"},
       true,
       true,
       true,
       "couplingctl coupling --family pythia --axes arc_easy.acc,winogrande.acc --over scale"},
      {"forecast",
       "Where the coupling changes sign: N_c of families, D_c of runs",
       {"run", "family", "axes", "over", "task", "metric", "at", "generation"},
       false,
       false,
       true,
       "couplingctl forecast --family pythia\n"
       "  couplingctl forecast --run pythia-1b --benchmarks --at 600B",
       {{"benchmarks", "Forecast the score of every benchmark (or of --task) instead"},
        {"panel", "Learn from the shipped panel of base models too (families)"},
        {"terms", "Show the terms of the ODE, and the share of the ensemble that keeps each"}}},
      {"audit",
       "The checks of a published result on your own: relabelling, leave-one-out, other metrics …",
       {"name", "axes", "generation"},
       false,
       false,
       false,
       "couplingctl audit pythia --axes arc_easy.acc,winogrande.acc"},
      {"loss",
       "The training loss beside the coupling: its power law, and is it blind to a sign change",
       {"run", "family", "axes", "generation"},
       false,
       false,
       false,
       "couplingctl loss --run web-1b"},
      {"deliveries",
       "What was delivered to which sink",
       {},
       false,
       false,
       false,
       "couplingctl deliveries --json"},
      {"events",
       "The log of problems and notable events",
       {"limit"},
       false,
       false,
       false,
       "couplingctl events --limit 50"},
  };
  return verbs;
}

struct ReadOptions {
  Format format;
  QueryParameters parameters;
  bool plot = false, recompute = false;
  std::string gate, png;
};

Result<int> RunGate(const CommandContext& context, const Gate& gate, const JsonValue& rows) {
  const GateResult result = TRY(GateCoupling(gate, rows));
  for (const std::string& reason : result.reasons) context.Say("gate: " + Printable(reason) + "\n");
  return static_cast<int>(result.verdict);
}

// Charts without a point are left out, and said so.
Status WritePng(const CommandContext& context, std::vector<Chart> charts, const std::string& file) {
  constexpr std::size_t kMost = 24;
  std::erase_if(charts, [&](const Chart& chart) {
    int left_out = 0;
    const bool empty = !FrameOf(Drawable(chart, left_out), chart);
    if (empty) context.Say(fmt::format("{}: {}\n", chart.title, chart.if_empty));
    return empty;
  });
  if (charts.empty()) return Fail(ErrorKind::kInvalidData, "there is nothing to draw");
  if (charts.size() > kMost) {
    return Fail(ErrorKind::kUsage,
                fmt::format("{} charts are too many for one picture", charts.size()),
                "choose runs and axes with --run, --family and --axes");
  }
  TRY(WriteFileAtomically(file, TRY(DrawPng(charts)), 0644));
  context.Print(
      fmt::format("{} chart{} in {}\n", charts.size(), charts.size() == 1 ? "" : "s", file));
  return {};
}

// `forecast` answers with places of a sign change, with scores, or with terms.
std::string_view ViewOf(const ReadVerb& verb, const JsonValue& rows) {
  if (verb.name != "forecast" || rows.Empty()) return verb.name;
  const std::string quantity = TextOf(rows[0], "quantity");
  return quantity == "score" ? "forecast-scores" : quantity == "ode" ? "forecast-terms" : verb.name;
}

Result<int> Read(const CommandContext& context, const ReadVerb& verb, const ReadOptions& options) {
  std::optional<Gate> gate;
  if (!options.gate.empty()) gate = TRY(ParseGate(options.gate));
  QueryParameters parameters;
  for (const auto& [name, value] : options.parameters) {
    if (!value.empty()) parameters.emplace(name, value);
  }
  if (options.recompute) parameters["recompute"] = "1";
  const Places places = TRY(FindPlaces(context.source, context.services));
  const auto source = TRY(OpenSource(places, context.services));
  const std::string text = TRY(source->Ask(verb.name, parameters));
  const JsonDocument answer =
      TRY(ParseJson(text, fmt::format("answer to {}", verb.name), {.max_bytes = 512u << 20}));
  const bool ascii = context.PlainAscii();
  if (answer.IsObject()) {
    if (options.format.json) {
      context.PrintData(text + "\n");
    } else {
      context.Print(RenderStatus(answer, static_cast<std::size_t>(context.terminal.columns)));
    }
    return 0;
  }
  if (!answer.IsArray())
    return Fail(ErrorKind::kInternal, fmt::format("the answer to {} is no array", verb.name));
  if ((options.plot || !options.png.empty()) && !answer.Empty()) {
    const PhaseBounds bounds = places.config ? places.config->coupling.bounds : PhaseBounds();
    const std::vector<Chart> charts =
        verb.name == "history" ? HistoryCharts(answer, bounds) : CouplingCharts(answer, bounds);
    if (!options.png.empty()) TRY(WritePng(context, charts, options.png));
    if (options.plot) context.Print(PlotCharts(charts, context.terminal.columns, ascii));
  } else {
    TRY(PrintRows(context, options.format, ViewOf(verb, answer), answer));
  }
  return gate ? RunGate(context, *gate, answer) : Result<int>(0);
}

void AddReadVerb(CLI::App& app, CommandContext& context, const ReadVerb& verb) {
  CLI::App* command = app.add_subcommand(std::string(verb.name), std::string(verb.help));
  auto options = std::make_shared<ReadOptions>();
  for (const Filter& filter : kFilters) {
    if (std::ranges::find(verb.filters, filter.option) == verb.filters.end()) continue;
    const bool is_positional = filter.option == "name";
    command->add_option(is_positional ? "NAME" : fmt::format("--{}", filter.option),
                        options->parameters[std::string(filter.option)], std::string(filter.help));
  }
  for (const Filter& flag : verb.flags) {
    command->add_flag_callback(
        fmt::format("--{}", flag.option),
        [options, name = std::string(flag.option)] { options->parameters[name] = "1"; },
        std::string(flag.help));
  }
  options->format.AddTo(*command);
  if (verb.plot) {
    command->add_flag("--plot", options->plot, "Draw it in the terminal");
    command->add_option("--png", options->png, "Draw it into this file");
  }
  if (verb.recompute) {
    command->add_flag("--recompute", options->recompute,
                      "Estimate again instead of reading what is stored");
  }
  if (verb.gate) {
    command->add_option(
        "--gate", options->gate,
        "Exit 0 if the rule holds, 1 if not, 2 if undetermined: phase!=tax, gamma>-0.1");
  }
  command->footer(fmt::format("Example:\n  {}", verb.example));
  command->callback([&context, &verb, options] {
    context.run = [&context, &verb, options] { return Read(context, verb, *options); };
  });
}

}  // namespace

void Format::AddTo(CLI::App& command) {
  auto* json_flag = command.add_flag("--json", json, "Print JSON, as docs/json.md describes it");
  command.add_flag("--csv", csv, "Print CSV")->excludes(json_flag);
}

Status PrintRows(const CommandContext& context, const Format& format, std::string_view verb,
                 const JsonValue& rows) {
  const View* view = FindView(verb);
  if (format.json) {
    context.PrintData(RenderJsonRows(rows));
  } else if (!view) {
    return Fail(ErrorKind::kInternal, fmt::format("nothing says how {} looks", verb));
  } else if (format.csv) {
    context.PrintData(RenderCsv(rows, view->csv_keys));
  } else if (rows.Empty()) {
    context.Say(fmt::format("{}\n", view->nothing));
  } else {
    context.Print(
        RenderTable(rows, view->layout, static_cast<std::size_t>(context.terminal.columns)));
  }
  return {};
}

void AddReadVerbs(CLI::App& app, CommandContext& context) {
  for (const ReadVerb& verb : ReadVerbs()) AddReadVerb(app, context, verb);
}

}  // namespace couplingd
