#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/files.h"
#include "base/units.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/screen_text.h"
#include "cli/views.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxConfigBytes = 4u << 20, kMaxStateBytes = 256u << 20;

struct CompareCommand {
  QueryParameters parameters;
  Format format;
};

using Values = std::map<std::string, std::string>;  // of one file, by name

// Members that are no objects; lists as they stand.
Values FlatMembers(const JsonValue& object) {
  Values values;
  if (!object.IsObject()) return values;
  for (const auto& member : object.GetObject()) {
    if (member.value.IsObject()) continue;
    const std::string text = JsonWriter().Value(member.value).Text();
    if (text.size() <= 200) values[member.name.GetString()] = text;
  }
  return values;
}

// What of a trainer's state is the recipe rather than how far it has come.
Values RecipeOf(const JsonValue& state) {
  Values values = FlatMembers(state);
  std::erase_if(values, [](const auto& value) {
    static const std::set<std::string> kRecipe = {"max_steps", "num_train_epochs",
                                                  "train_batch_size"};
    return !kRecipe.contains(value.first);
  });
  const JsonValue* log = FindMember(state, "log_history");
  if (!log || !log->IsArray()) return values;
  double peak = 0;
  for (const JsonValue& entry : log->GetArray()) {
    peak = std::max(peak, NumberOf(entry, "learning_rate").value_or(0));
  }
  if (peak > 0) values["largest learning_rate"] = fmt::format("{:.4g}", peak);
  return values;
}

// Of the checkpoint's file, where it lies on this machine; empty otherwise.
Values ReadValues(const std::string& checkpoint, const char* name, std::size_t max_bytes,
                  Values (*read)(const JsonValue&)) {
  if (!checkpoint.starts_with('/')) return {};
  const auto document = ParseJsonFile(JoinPath(checkpoint, name), {.max_bytes = max_bytes});
  return document ? read(*document) : Values();
}

void AddText(JsonDocument& document, JsonValue& object, const char* key, const std::string& text) {
  object.AddMember(rapidjson::StringRef(key), JsonValue(text.c_str(), document.GetAllocator()),
                   document.GetAllocator());
}

// Appends to `settings` what the checkpoints' own files say differently. couplingctl reads them, as
// the user; the daemon never does.
void AddFileSettings(JsonDocument& answer) {
  const std::string a = TextOf(answer["a"], "checkpoint"), b = TextOf(answer["b"], "checkpoint");
  const auto add = [&](const char* file, std::size_t max_bytes, Values (*read)(const JsonValue&)) {
    const Values of_a = ReadValues(a, file, max_bytes, read);
    const Values of_b = ReadValues(b, file, max_bytes, read);
    if (of_a.empty() || of_b.empty()) return;
    Values all = of_a;
    all.insert(of_b.begin(), of_b.end());
    for (const auto& [name, ignored] : all) {
      const auto text = [&](const Values& of) {
        const auto found = of.find(name);
        return found == of.end() ? std::string("absent") : found->second;
      };
      if (text(of_a) == text(of_b)) continue;
      JsonValue setting(rapidjson::kObjectType);
      AddText(answer, setting, "name", name);
      AddText(answer, setting, "a", text(of_a));
      AddText(answer, setting, "b", text(of_b));
      AddText(answer, setting, "source", file);
      answer["settings"].PushBack(setting, answer.GetAllocator());
    }
  };
  add("config.json", kMaxConfigBytes, FlatMembers);
  add("trainer_state.json", kMaxStateBytes, RecipeOf);
}

std::string Place(const JsonValue& side) {
  const auto tokens = NumberOf(side, "tokens");
  return fmt::format("step {}{}", IntegerCell(side, "step"),
                     tokens ? fmt::format(" ({} tokens)", FormatCount(*tokens)) : "");
}

std::string Heading(const JsonValue& answer) {
  return fmt::format("A = {}, {}\nB = {}, {}\nmatched by {}, {:.1f} % apart\n",
                     TextOf(answer["a"], "run"), Place(answer["a"]), TextOf(answer["b"], "run"),
                     Place(answer["b"]), TextOf(answer, "matched_by"),
                     100 * NumberOf(answer, "apart").value_or(0));
}

std::string Summary(const JsonValue& answer) {
  int determined = 0, survive = 0;
  for (const JsonValue& line : answer["lines"].GetArray()) {
    const JsonValue* survives = FindMember(line, "survives");
    determined += TextOf(line, "verdict") != "undetermined";
    survive += survives && survives->IsTrue();
  }
  const double looked_at = NumberOf(answer, "looked_at").value_or(0);
  return fmt::format(
      "{:.0f} lines were looked at: at 95 % about {:.1f} differ by chance alone. {} differ, {} of "
      "the lines (marked *) still do when all are taken together (Holm). What would settle a line "
      "is for a true difference as large as the one seen, found at 95 % in 80 % of repetitions. "
      "One run a side: what another training seed would give is not in these intervals.",
      looked_at, 0.05 * looked_at, determined, survive);
}

Result<int> Compare(const CommandContext& context, const CompareCommand& command) {
  QueryParameters parameters;
  for (const auto& [name, value] : command.parameters) {
    if (!value.empty()) parameters.emplace(name, value);
  }
  const Places places = TRY(FindPlaces(context.source, context.services));
  const auto source = TRY(OpenSource(places, context.services));
  JsonDocument answer =
      TRY(ParseJson(TRY(source->Ask("compare", parameters)), "answer to compare"));
  for (const char* key : {"a", "b", "settings", "lines"}) {
    if (!FindMember(answer, key)) {
      return Fail(ErrorKind::kInternal, fmt::format("the answer to compare has no \"{}\"", key));
    }
  }
  AddFileSettings(answer);
  if (command.format.json) {
    context.PrintData(JsonWriter().Value(answer).Text() + "\n");
    return 0;
  }
  if (command.format.csv) {
    TRY(PrintRows(context, command.format, "compare", answer["lines"]));
    return 0;
  }
  const auto columns = static_cast<std::size_t>(context.terminal.columns);
  context.Print(Printable(Heading(answer), true) + "\n");
  if (answer["settings"].Empty()) {
    context.Print("no setting is known to differ\n\n");
  } else {
    TRY(PrintRows(context, {}, "settings", answer["settings"]));
    context.Print("\n");
  }
  TRY(PrintRows(context, {}, "compare", answer["lines"]));
  if (answer["lines"].Empty()) return 0;
  context.Print("\n");
  for (const std::string& line : Wrap(Summary(answer), columns)) context.Print(line + "\n");
  return 0;
}

}  // namespace

void AddCompareVerb(CLI::App& app, CommandContext& context) {
  CLI::App* verb = app.add_subcommand(
      "compare",
      "Two runs side by side at matched tokens: what differs, and is it more than noise");
  auto command = std::make_shared<CompareCommand>();
  verb->add_option("RUN_A", command->parameters["run_a"], "The run that is compared with")
      ->required();
  verb->add_option("RUN_B", command->parameters["run_b"], "The run that is judged")->required();
  verb->add_option("--axes", command->parameters["axes"],
                   "A configured pair, or TASK.METRIC,TASK.METRIC (reasoning first)");
  verb->add_option("--task", command->parameters["task"], "Scores of this task only");
  verb->add_option("--at", command->parameters["at"],
                   "Compare near so many tokens, such as 2B; by default as late as both reach");
  verb->add_option("--tolerance", command->parameters["tolerance"],
                   "How far apart the two checkpoints may lie, 0.02 by default");
  command->format.AddTo(*verb);
  verb->footer("Example:\n  couplingctl compare web-1b curated-1b --at 20B");
  verb->callback([&context, command] {
    context.run = [&context, command] { return Compare(context, *command); };
  });
}

}  // namespace couplingd
