#include "cli/steer_verb.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "cli/cells.h"
#include "cli/foreground.h"
#include "cli/screen_text.h"
#include "cli/table.h"

namespace couplingd {
namespace {

constexpr std::size_t kMostPrompts = 10000;

struct SteerCommand {
  ForegroundOptions foreground;
  std::string prompt, sweep;
  std::optional<double> strength;
  int layer = 0, max_tokens = 48;
  std::int64_t seed = 1;
  bool sample = false, grade = false;
  Format format;
};

// One prompt a line; empty lines are left out.
Result<std::vector<std::string>> ReadPrompts(const std::string& path) {
  const std::string text = TRY(ReadFile(path));
  std::vector<std::string> prompts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) prompts.push_back(std::move(line));
    begin = end + 1;
  }
  if (prompts.empty()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: there is no prompt in it", path),
                "write one prompt on each line");
  }
  if (prompts.size() > kMostPrompts) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: {} prompts are more than {}", path, prompts.size(), kMostPrompts));
  }
  return prompts;
}

Status Check(const SteerCommand& command) {
  if (command.prompt.empty() && command.sweep.empty() && !command.grade) {
    return Fail(ErrorKind::kUsage, "there is nothing to do", "add --prompt, --sweep or --grade");
  }
  if (command.sample && !command.sweep.empty()) {
    return Fail(ErrorKind::kUsage, "--sweep compares greedy texts: drawn ones differ by the draw",
                "leave --sample out");
  }
  if (command.foreground.record && !command.grade) {
    return Fail(ErrorKind::kUsage, "only a grade is recorded", "add --grade");
  }
  if (command.strength && !std::isfinite(*command.strength)) {
    return Fail(ErrorKind::kUsage, "--strength must be a finite number");
  }
  return CheckRecordable(command.foreground);
}

Result<std::string> SteeringJson(const SteerCommand& command) {
  JsonWriter json;
  json.BeginObject().Field("prompt", command.prompt).Field("strength", command.strength);
  json.Field("layer", command.layer).Field("max_tokens", command.max_tokens);
  json.Field("sample", command.sample).Field("seed", command.seed);
  json.Field("grade", command.grade).Key("prompts").BeginArray();
  if (!command.sweep.empty()) {
    for (const std::string& prompt : TRY(ReadPrompts(command.sweep))) json.Value(prompt);
  }
  return json.EndArray().EndObject().Text();
}

double NumberOr0(const JsonValue& object, std::string_view key) {
  return NumberOf(object, key).value_or(0);
}

std::string StrengthText(const JsonValue& steering) {
  std::string text = fmt::format(
      "layer {:.0f} of {:.0f}, strength {:.2f}: {:.1f} % of the mean length of a state, {:.2f}\n",
      NumberOr0(steering, "layer"), NumberOr0(steering, "layers"), NumberOr0(steering, "strength"),
      100 * NumberOr0(steering, "relative_strength"), NumberOr0(steering, "mean_norm"));
  if (const auto coupling = NumberOf(steering, "coupling")) {
    text += fmt::format("the strength follows from the layer's coupling, {:.2f}\n", *coupling);
  }
  return text;
}

std::string TextsText(const JsonValue& steering) {
  if (!FindMember(steering, "without")) return "";
  return fmt::format("without  {}\nwith     {}\n", Printable(TextOf(steering, "without")),
                     Printable(TextOf(steering, "with")));
}

std::string SweepText(const JsonValue& steering, std::size_t width) {
  const JsonValue* sweep = FindMember(steering, "sweep");
  if (!sweep) return "";
  const auto share = [](std::string_view key) {
    return [key](const JsonValue& row) {
      return fmt::format("{:.0f} of {:.0f}", NumberOr0(row, key), NumberOr0(row, "n"));
    };
  };
  const TableLayout layout{
      {{"strength", [](const JsonValue& row) { return NumberCell(row, "strength"); }, true},
       {"changed", share("changed"), true},
       {"changed by a random direction", share("changed_at_random"), true}}};
  return RenderTable(*sweep, layout, width);
}

std::string GradeLine(const JsonValue& grade, std::string_view key) {
  const JsonValue& items = grade[std::string(key).c_str()];
  const JsonValue& random = items["random"];
  return fmt::format(
      "{}: {:.1f} % right without, {:.1f} % with: {:+.1f} points [{:+.1f}, {:+.1f}], n {:.0f}; "
      "{:.0f} "
      "random directions {:+.1f} on average, {:+.1f} at most, p {:.2f}\n",
      key, 100 * NumberOr0(items, "without"), 100 * NumberOr0(items, "with"),
      100 * NumberOr0(items, "difference"), 100 * NumberOr0(items, "low"),
      100 * NumberOr0(items, "high"), NumberOr0(items, "n"), NumberOr0(random, "directions"),
      100 * NumberOr0(random, "mean"), 100 * NumberOr0(random, "most"), NumberOr0(items, "p"));
}

std::string GradeText(const JsonValue& steering) {
  const JsonValue* grade = FindMember(steering, "grade");
  if (!grade) return "not graded: that a text changed does not make it truer (--grade)\n";
  return GradeLine(*grade, "truth") + GradeLine(*grade, "reasoning") +
         fmt::format("verdict: {}\n", TextOf(*grade, "verdict"));
}

void PrintLines(const CommandContext& context, const std::string& text) {
  const auto width = static_cast<std::size_t>(context.terminal.columns);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    for (const std::string& line : Wrap(text.substr(begin, end - begin), width)) {
      context.Print(line + "\n");
    }
  }
}

Status Print(const CommandContext& context, const SteerCommand& command,
             const ForegroundResult& result) {
  const JsonDocument report = TRY(ParseJson(result.worker.report, "report"));
  const JsonValue* steering = FindMember(report, "steering");
  if (!steering) return Fail(ErrorKind::kInternal, "couplingd-probe sent nothing about steering");
  if (command.format.json) {
    JsonWriter json;
    json.BeginObject().Field("checkpoint", result.about.checkpoint);
    json.Field("step", result.about.step).Field("weights_hash", result.worker.weights_hash);
    context.PrintData(json.Field("steering", *steering).EndObject().Text() + "\n");
    return {};
  }
  if (command.format.csv) {
    const JsonValue* sweep = FindMember(*steering, "sweep");
    if (!sweep) return Fail(ErrorKind::kUsage, "only a sweep is a table", "add --sweep FILE");
    context.PrintData(RenderCsv(*sweep, {"strength", "changed", "changed_at_random", "n"}));
    return {};
  }
  PrintLines(context, StrengthText(*steering) + TextsText(*steering));
  context.Print(SweepText(*steering, static_cast<std::size_t>(context.terminal.columns)));
  PrintLines(context, GradeText(*steering));
  return {};
}

Result<int> Steer(const CommandContext& context, const SteerCommand& command) {
  TRY(Check(command));
  const std::string steering = TRY(SteeringJson(command));
  const auto places = TRY(ForegroundPlaces(context, command.foreground));
  const ScratchFolder scratch = TRY(ScratchFolder::Make(context.services));
  WorkerRequest request = TRY(
      MakeForegroundRequest(command.foreground, places ? places->config : std::nullopt, scratch));
  request.task = "steer";
  request.steering = steering;
  const ForegroundResult result = TRY(RunInForeground(context, command.foreground, request));
  TRY(Print(context, command, result));
  TRY(RecordForeground(context, command.foreground, request, result));
  return 0;
}

}  // namespace

void AddSteerVerb(CLI::App& app, CommandContext& context) {
  CLI::App* verb = app.add_subcommand(
      "steer", "Add a truth direction to a model's states: texts with and without, graded");
  auto command = std::make_shared<SteerCommand>();
  verb->add_option("--checkpoint", command->foreground.directory, "The checkpoint's directory")
      ->required();
  verb->add_option("--prompt", command->prompt, "A text to continue without and with steering");
  verb->add_option("--sweep", command->sweep,
                   "File with a prompt a line: how many texts change at which strength");
  verb->add_flag("--grade", command->grade,
                 "Held-out items against no steering and random directions");
  verb->add_option("--strength", command->strength,
                   "By default 3, 1.5, 0.5 or 0, by the coupling of the layer");
  verb->add_option("--layer", command->layer, "By default a quarter of the layers")
      ->check(CLI::Range(1, 1 << 20));
  verb->add_option("--max-tokens", command->max_tokens, "Longest continuation")
      ->check(CLI::Range(1, 4096));
  verb->add_flag("--sample", command->sample, "Draw the tokens instead of taking the likeliest");
  verb->add_option("--seed", command->seed, "Of these draws");
  command->foreground.AddTo(*verb);
  command->format.AddTo(*verb);
  verb->footer(
      "Examples:\n  couplingctl steer --checkpoint out/checkpoint-500 --prompt 'Is the Earth "
      "flat?' "
      "--strength 3\n"
      "  couplingctl steer --checkpoint out/checkpoint-500 --grade --strength 3");
  verb->callback([&context, command] {
    context.run = [&context, command] { return Steer(context, *command); };
  });
}

}  // namespace couplingd
