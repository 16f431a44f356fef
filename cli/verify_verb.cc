#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/files.h"
#include "cli/cells.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/screen_text.h"
#include "probes/benchmark/sources.h"
#include "queries/scored_sides.h"

namespace couplingd {
namespace {

// What the command line says of one side.
struct SideFacts {
  std::string tokenizer, bos, dtype;
  std::optional<std::size_t> max_length;
};

struct VerifyCommand {
  std::string against, ours, run, pack, task, results;
  std::optional<std::int64_t> step;
  SideFacts our_facts, their_facts;
  double tolerance = 1e-3;
  std::size_t limit = 20;
  Format format;
};

Status AddFacts(const SideFacts& facts, ScoredSide& side) {
  if (!facts.tokenizer.empty()) side.tokenizer = TRY(LoadTokenizer(facts.tokenizer));
  if (facts.bos == "auto") side.bos = BosMode::kAuto;
  if (facts.bos == "true") side.bos = BosMode::kTrue;
  if (facts.bos == "false") side.bos = BosMode::kFalse;
  if (!facts.dtype.empty()) side.dtype = facts.dtype;
  if (facts.max_length) side.max_length = facts.max_length;
  return {};
}

Result<ScoredSide> Theirs(const VerifyCommand& command) {
  ScoredSide side = TRY(SideOfSamples(command.against, ""));
  const std::string results =
      command.results.empty() ? ResultsBeside(command.against) : command.results;
  if (!results.empty()) TRY(AddResultsFacts(results, side));
  TRY(AddFacts(command.their_facts, side));
  return side;
}

Result<Pack> PackOfRun(const VerifyCommand& command, const std::string& task) {
  std::vector<Pack> packs = TRY(OpenPacks(command.pack));
  const auto found = std::ranges::find(packs, task, &Pack::name);
  if (found != packs.end()) return std::move(*found);
  if (packs.size() == 1) return std::move(packs[0]);
  return Fail(ErrorKind::kNotFound, fmt::format("{} gives no pack \"{}\"", command.pack, task),
              "name it with --task");
}

Result<ScoredSide> Ours(const CommandContext& context, const VerifyCommand& command,
                        const std::string& task) {
  ScoredSide side;
  if (!command.ours.empty()) {
    side = TRY(SideOfSamples(command.ours, task));
  } else {
    const Places places = TRY(FindPlaces(context.source, context.services));
    if (places.database.empty()) {
      return Fail(ErrorKind::kUsage, "stored scores are read from the database, not over a socket",
                  "name it with --db or --config");
    }
    const auto history = TRY(HistoryReader::Open(places.database));
    side = TRY(SideOfRun(*history, command.run, command.step, TRY(PackOfRun(command, task))));
  }
  TRY(AddFacts(command.our_facts, side));
  return side;
}

struct CauseTotal {
  std::size_t choices = 0;
  double largest = 0;
};

std::map<DifferenceCause, CauseTotal> Totals(const Agreement& agreement) {
  std::map<DifferenceCause, CauseTotal> totals;
  for (const ChoiceDifference& one : agreement.differing) {
    CauseTotal& total = totals[one.cause];
    ++total.choices;
    total.largest = std::max(total.largest, std::abs(one.ours - one.theirs));
  }
  return totals;
}

void WriteDifference(JsonWriter& json, const ChoiceDifference& one) {
  json.BeginObject().Field("item", one.our_item).Field("their_item", one.their_item);
  json.Field("choice", static_cast<std::int64_t>(one.choice)).Field("ours", one.ours);
  json.Field("theirs", one.theirs).Field("difference", one.ours - one.theirs);
  json.Field("tokens", one.tokens ? std::optional(static_cast<std::int64_t>(*one.tokens))
                                  : std::optional<std::int64_t>());
  json.Field("cause", ToString(one.cause)).Field("evidence", one.evidence).EndObject();
}

std::string Json(const VerifyCommand& command, const std::string& task,
                 const Agreement& agreement) {
  const auto count = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  JsonWriter json;
  json.BeginObject().Field("against", command.against).Field("task", task);
  json.Field("tolerance", command.tolerance).Field("items", count(agreement.items));
  json.Field("only_ours", count(agreement.only_ours));
  json.Field("only_theirs", count(agreement.only_theirs));
  json.Field("choices", count(agreement.choices)).Field("agree", count(agreement.agreeing));
  json.Field("other_texts", count(agreement.other_texts));
  json.Field("other_best", count(agreement.other_best)).Key("causes").BeginArray();
  for (const auto& [cause, total] : Totals(agreement)) {
    json.BeginObject().Field("cause", ToString(cause)).Field("choices", count(total.choices));
    json.Field("largest", total.largest).EndObject();
  }
  json.EndArray().Key("would_decide").BeginArray();
  for (const std::string& what : agreement.would_decide) json.Value(what);
  json.EndArray().Key("differing").BeginArray();
  for (const ChoiceDifference& one : agreement.differing) WriteDifference(json, one);
  return json.EndArray().EndObject().Text();
}

std::string Summary(const std::string& task, const VerifyCommand& command,
                    const JsonValue& answer) {
  const auto number = [&](const char* key) { return answer[key].GetInt64(); };
  std::string text = fmt::format(
      "{}: {} items of both, {} of {} choices agree within {:g} per token\n", Printable(task),
      number("items"), number("agree"), number("choices"), command.tolerance);
  if (number("only_ours") + number("only_theirs") > 0) {
    text += fmt::format("{} items are only ours, {} only theirs\n", number("only_ours"),
                        number("only_theirs"));
  }
  if (number("other_texts") > 0) {
    text +=
        fmt::format("{} of those that agree were asked with another text\n", number("other_texts"));
  }
  text += fmt::format("another choice is the likeliest in {} items\n", number("other_best"));
  return text;
}

TableLayout CauseLayout() {
  return {{Cell("cause", "cause", TextCell), Integer("choices", "choices"),
           Number("largest difference", "largest")},
          {}};
}

TableLayout DifferenceLayout() {
  return {{Cell("item", "item", TextCell, false, true), Integer("choice", "choice"),
           Number("ours", "ours"), Number("theirs", "theirs"), Number("difference", "difference"),
           Cell("cause", "cause", TextCell)},
          [](const JsonValue& row) { return Printable(TextOf(row, "evidence")); }};
}

// The differing choices that are shown, the largest differences first.
JsonDocument Largest(const JsonValue& differing, std::size_t limit) {
  std::vector<const JsonValue*> rows;
  for (const JsonValue& row : differing.GetArray()) rows.push_back(&row);
  std::ranges::stable_sort(rows, std::ranges::greater(), [](const JsonValue* row) {
    return std::abs((*row)["difference"].GetDouble());
  });
  JsonDocument shown(rapidjson::kArrayType);
  for (std::size_t i = 0; i < std::min(limit, rows.size()); ++i) {
    shown.PushBack(JsonValue(*rows[i], shown.GetAllocator()), shown.GetAllocator());
  }
  return shown;
}

void PrintText(const CommandContext& context, const VerifyCommand& command, const std::string& task,
               const JsonValue& answer) {
  const auto width = static_cast<std::size_t>(context.terminal.columns);
  context.Print(Summary(task, command, answer));
  if (answer["differing"].Empty()) return;
  context.Print("\n" + RenderTable(answer["causes"], CauseLayout(), width));
  const JsonDocument shown = Largest(answer["differing"], command.limit);
  if (!shown.Empty()) {
    context.Print(fmt::format("\nthe {} largest of {} differences\n", shown.Size(),
                              answer["differing"].Size()));
    context.Print(RenderTable(shown, DifferenceLayout(), width));
  }
  if (answer["would_decide"].Empty()) return;
  context.Print("\nwhat would decide the unknown ones:\n");
  for (const JsonValue& what : answer["would_decide"].GetArray()) {
    std::string bullet = "- ";
    for (const std::string& line :
         Wrap(Printable(what.GetString()), std::max(width, std::size_t{40}) - 2)) {
      context.Print(std::exchange(bullet, "  ") + line + "\n");
    }
  }
}

Result<int> Verify(const CommandContext& context, const VerifyCommand& command) {
  if (command.ours.empty() == command.run.empty()) {
    return Fail(ErrorKind::kUsage, "name our scores: either --ours FILE or --run NAME with --pack");
  }
  if (!command.run.empty() && command.pack.empty()) {
    return Fail(ErrorKind::kUsage, "--run needs the pack that it was evaluated with",
                "texts are not stored with the scores: --pack packs/NAME");
  }
  const ScoredSide theirs = TRY(Theirs(command));
  const std::string task = command.task.empty() ? theirs.pack.name : command.task;
  const ScoredSide ours = TRY(Ours(context, command, task));
  const Agreement agreement = TRY(CompareScores(ours, theirs, command.tolerance));
  const std::string text = Json(command, task, agreement);
  const JsonDocument answer =
      TRY(ParseJson(text, "the comparison", {.max_bytes = std::size_t{1} << 30}));
  if (command.format.json) {
    context.PrintData(text + "\n");
  } else if (command.format.csv) {
    context.PrintData(
        RenderCsv(answer["differing"], {"item", "their_item", "choice", "ours", "theirs",
                                        "difference", "tokens", "cause", "evidence"}));
  } else {
    PrintText(context, command, task, answer);
  }
  return 0;
}

void AddSide(CLI::App& verb, SideFacts& facts, const std::string& prefix,
             const std::string& whose) {
  verb.add_option("--" + prefix + "tokenizer", facts.tokenizer,
                  "Folder of " + whose + " tokenizer");
  verb.add_option("--" + prefix + "bos", facts.bos,
                  "How " + whose + " texts got BOS: auto (as the tokenizer does), true, false")
      ->check(CLI::IsMember({"auto", "true", "false"}));
  verb.add_option("--" + prefix + "dtype", facts.dtype, "Dtype of " + whose + " model")
      ->check(CLI::IsMember({"fp32", "bf16", "fp16"}));
  verb.add_option("--" + prefix + "max-length", facts.max_length,
                  "Positions that " + whose + " model took")
      ->check(CLI::Range(1, 1 << 30));
}

}  // namespace

void AddVerifyVerb(CLI::App& app, CommandContext& context) {
  CLI::App* verb = app.add_subcommand(
      "verify", "Compare scores with lm-eval's of the same model and task: what differs, and why");
  auto command = std::make_shared<VerifyCommand>();
  verb->add_option(
          "--against", command->against,
          "lm-eval's samples_<task>_<date>.jsonl; the results file of its date is read too")
      ->required();
  verb->add_option("--ours", command->ours, "What evaluate --samples wrote");
  auto* run = verb->add_option("--run", command->run, "The stored scores of this run");
  verb->add_option("--step", command->step, "Of this step; else the newest")->needs(run);
  verb->add_option("--pack", command->pack, "The pack that the run was evaluated with")->needs(run);
  verb->add_option("--task", command->task, "Our name of the task, where it is another");
  verb->add_option("--results", command->results,
                   "lm-eval's results file, where it lies elsewhere");
  AddSide(*verb, command->our_facts, "", "our");
  AddSide(*verb, command->their_facts, "their-", "their");
  verb->add_option("--tolerance", command->tolerance,
                   "Log-likelihood per token that counts as equal (0.001)")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--limit", command->limit, "Differing choices that are listed (20)");
  command->format.AddTo(*verb);
  verb->footer(
      "Example:\n  couplingctl verify --against samples_piqa_2025-03-01T10-00-00.1.jsonl --ours "
      "ours.jsonl --tokenizer out/checkpoint-500");
  verb->callback([&context, command] {
    context.run = [&context, command] { return Verify(context, *command); };
  });
}

}  // namespace couplingd
