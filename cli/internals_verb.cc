#include "cli/internals_verb.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "cli/cells.h"
#include "cli/foreground.h"
#include "cli/screen_text.h"
#include "cli/table.h"

namespace couplingd {
namespace {

constexpr std::string_view kTaskPrefix = "internals:";
constexpr double kNormal95 = 1.959963984540054;

struct InternalsCommand {
  ForegroundOptions foreground;
  Format format;
};

std::optional<double> NumberIn(const JsonValue& object, std::string_view member,
                               std::string_view key) {
  const JsonValue* inner = FindMember(object, member);
  return inner ? NumberOf(*inner, key) : std::nullopt;
}

// One layer of the table, whether it was measured now or is read from the history.
struct LayerRow {
  std::optional<double> coupling, low, high, relabelled, centred, centred_low, centred_high;
  std::optional<double> reinitialised, d_rep, d_rep_low, d_rep_high;
  std::optional<double> competing_heads, non_finite_heads;
  std::string verdict;
};

void WriteRow(JsonWriter& json, std::int64_t layer, const LayerRow& row) {
  json.BeginObject().Field("layer", layer).Field("coupling", row.coupling);
  json.Field("low", row.low).Field("high", row.high).Field("relabelled", row.relabelled);
  json.Field("centred", row.centred).Field("centred_low", row.centred_low);
  json.Field("centred_high", row.centred_high).Field("reinitialised", row.reinitialised);
  json.Field("competing_heads", row.competing_heads);
  json.Field("non_finite_heads", row.non_finite_heads);
  json.Field("d_rep", row.d_rep).Field("d_rep_low", row.d_rep_low);
  json.Field("d_rep_high", row.d_rep_high).Field("verdict", row.verdict).EndObject();
}

LayerRow MeasuredRow(const JsonValue& layer) {
  return {.coupling = NumberIn(layer, "coupling", "value"),
          .low = NumberIn(layer, "coupling", "low"),
          .high = NumberIn(layer, "coupling", "high"),
          .relabelled = NumberIn(layer, "relabelled", "mean"),
          .centred = NumberIn(layer, "centred", "value"),
          .centred_low = NumberIn(layer, "centred", "low"),
          .centred_high = NumberIn(layer, "centred", "high"),
          .reinitialised = NumberOf(layer, "reinitialised"),
          .d_rep = NumberIn(layer, "d_rep", "value"),
          .d_rep_low = NumberIn(layer, "d_rep", "low"),
          .d_rep_high = NumberIn(layer, "d_rep", "high"),
          .competing_heads = NumberOf(layer, "competing_heads"),
          .non_finite_heads = NumberOf(layer, "non_finite_heads"),
          .verdict = TextOf(layer, "verdict")};
}

Result<JsonDocument> MeasuredRows(const JsonValue& internals) {
  JsonWriter json;
  json.BeginArray();
  if (const JsonValue* layers = FindMember(internals, "layers"); layers && layers->IsArray()) {
    for (const JsonValue& layer : layers->GetArray()) {
      WriteRow(json, static_cast<std::int64_t>(NumberOf(layer, "layer").value_or(0)),
               MeasuredRow(layer));
    }
  }
  return ParseJson(json.EndArray().Text(), "internals");
}

Column NumberColumn(std::string header, std::string_view key) {
  return {std::move(header), [key](const JsonValue& row) { return NumberCell(row, key); }, true};
}

Column IntegerColumn(std::string header, std::string_view key) {
  return {std::move(header), [key](const JsonValue& row) { return IntegerCell(row, key); }, true};
}

TableLayout LayerLayout() {
  const Column interval{"interval",
                        [](const JsonValue& row) {
                          if (!NumberOf(row, "low") || !NumberOf(row, "high"))
                            return std::string(kAbsent);
                          return fmt::format("[{}, {}]", NumberCell(row, "low"),
                                             NumberCell(row, "high"));
                        },
                        true};
  const Column verdict{"verdict", [](const JsonValue& row) { return TextCell(row, "verdict"); }};
  return {{IntegerColumn("layer", "layer"), NumberColumn("c", "coupling"), interval,
           NumberColumn("labels", "relabelled"), NumberColumn("centred", "centred"),
           NumberColumn("re-init", "reinitialised"), IntegerColumn("heads", "competing_heads"),
           NumberColumn("d_rep", "d_rep"), verdict}};
}

void PrintLayers(const CommandContext& context, const Format& format, const JsonValue& rows) {
  if (format.json) {
    context.PrintData(RenderJsonRows(rows));
  } else if (format.csv) {
    context.PrintData(
        RenderCsv(rows, {"layer", "coupling", "low", "high", "relabelled", "centred", "centred_low",
                         "centred_high", "reinitialised", "competing_heads", "non_finite_heads",
                         "d_rep", "d_rep_low", "d_rep_high", "verdict"}));
  } else {
    context.Print(
        RenderTable(rows, LayerLayout(), static_cast<std::size_t>(context.terminal.columns)));
  }
}

std::string Number(std::optional<double> value) {
  return value ? fmt::format("{:.2f}", *value == 0 ? 0.0 : *value) : std::string(kAbsent);
}

std::string IntervalText(const JsonValue& estimate) {
  return fmt::format("{} [{}, {}]", Number(NumberOf(estimate, "value")),
                     Number(NumberOf(estimate, "low")), Number(NumberOf(estimate, "high")));
}

std::string CompetingText(const JsonValue& internals, std::string_view key, std::string_view what) {
  const JsonValue* count = FindMember(internals, key);
  if (!count) return "";
  return fmt::format(
      "{} of {} {} compete; with random labels {} (95 %: {:.0f} to {:.0f}), "
      "re-initialised {}\n",
      IntegerCell(*count, "count"), IntegerCell(*count, "of"), what,
      Number(NumberIn(*count, "relabelled", "mean")),
      NumberIn(*count, "relabelled", "low").value_or(0),
      NumberIn(*count, "relabelled", "high").value_or(0), IntegerCell(*count, "reinitialised"));
}

std::string PromptsText(const JsonValue& internals) {
  const JsonValue* prompts = FindMember(internals, "prompts");
  if (!prompts) return "";
  std::string text = fmt::format("protocol {}", TextOf(internals, "protocol"));
  for (const char* kind : {"reasoning", "truthfulness", "neutral"}) {
    text += fmt::format(", {:.0f} {} prompts of {:.1f} tokens",
                        NumberIn(*prompts, kind, "n").value_or(0), kind,
                        NumberIn(*prompts, kind, "mean_tokens").value_or(0));
  }
  return text + "\n";
}

// What stands below the table of layers.
std::string Summary(const JsonValue& internals) {
  std::string text = PromptsText(internals) +
                     CompetingText(internals, "competing_layers", "layers") +
                     CompetingText(internals, "competing_heads", "heads");
  if (const auto heads = NumberOf(internals, "non_finite_heads"); heads && *heads > 0) {
    text += fmt::format("{:.0f} heads have no cosine (zero or not finite) and count as neither\n",
                        *heads);
  }
  const JsonValue* bottleneck = FindMember(internals, "bottleneck");
  if (bottleneck && FindMember(*bottleneck, "difference")) {
    text += fmt::format(
        "before the output matrix {}, after it {}: difference {}, re-initialised {}\n",
        IntervalText((*bottleneck)["hidden"]), IntervalText((*bottleneck)["logits"]),
        IntervalText((*bottleneck)["difference"]), Number(NumberOf(*bottleneck, "reinitialised")));
  }
  const JsonValue* ranks = FindMember(internals, "ranks");
  if (ranks && ranks->IsArray() && !ranks->Empty()) {
    text += "by rank of the output matrix:";
    for (const JsonValue& rank : ranks->GetArray()) {
      text += fmt::format(" {} {}", IntegerCell(rank, "rank"),
                          Number(NumberIn(rank, "coupling", "value")));
      text += &rank == ranks->End() - 1 ? "\n" : ",";
    }
  }
  return text;
}

void PrintSummary(const CommandContext& context, const std::string& text) {
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    for (const std::string& part : Wrap(line, static_cast<std::size_t>(context.terminal.columns))) {
      context.Print(part + "\n");
    }
  }
}

std::string MeasuredJson(const ForegroundResult& result) {
  JsonWriter json;
  json.BeginObject().Field("checkpoint", result.about.checkpoint);
  json.Field("step", result.about.step).Field("model_type", result.worker.model_type);
  json.Field("parameters", result.worker.parameters).Field("device", result.worker.device);
  json.Field("dtype", result.worker.dtype).Field("bos", result.worker.bos);
  json.Field("weights_hash", result.worker.weights_hash);
  json.Field("tokenizer_hash", result.worker.tokenizer_hash).Key("internals");
  const auto report = ParseJson(result.worker.report, "report");
  const JsonValue* internals = report ? FindMember(*report, "internals") : nullptr;
  internals ? json.Value(*internals) : json.Null();
  return json.EndObject().Text();
}

Result<int> Measure(const CommandContext& context, const InternalsCommand& command) {
  TRY(CheckRecordable(command.foreground));
  const auto places = TRY(ForegroundPlaces(context, command.foreground));
  const ScratchFolder scratch = TRY(ScratchFolder::Make(context.services));
  WorkerRequest request = TRY(
      MakeForegroundRequest(command.foreground, places ? places->config : std::nullopt, scratch));
  request.task = "internals";
  const ForegroundResult result = TRY(RunInForeground(context, command.foreground, request));
  const std::string text = MeasuredJson(result);
  const JsonDocument answer = TRY(ParseJson(text, "internals"));
  const JsonValue* internals = FindMember(answer, "internals");
  if (!internals) return Fail(ErrorKind::kInternal, "couplingd-probe sent no internals");
  if (command.format.json) {
    context.PrintData(text + "\n");
  } else {
    PrintLayers(context, command.format, TRY(MeasuredRows(*internals)));
    if (!command.format.csv) PrintSummary(context, Summary(*internals));
  }
  TRY(RecordForeground(context, command.foreground, request, result));
  return 0;
}

// "layer_coupling_l12" as ("layer_coupling", 12).
std::optional<std::pair<std::string, std::int64_t>> SplitLayer(const std::string& metric) {
  const std::size_t at = metric.rfind("_l");
  if (at == std::string::npos || at + 2 == metric.size()) return std::nullopt;
  const std::string digits = metric.substr(at + 2);
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }) ||
      digits.size() > 6) {
    return std::nullopt;
  }
  return std::pair(metric.substr(0, at), std::stoll(digits));
}

void SetWithError(const JsonValue& score, std::optional<double>& value, std::optional<double>& low,
                  std::optional<double>& high) {
  value = NumberOf(score, "value");
  const auto error = NumberOf(score, "stderr");
  if (!value || !error) return;
  low = *value - kNormal95 * *error;
  high = *value + kNormal95 * *error;
}

// What the history holds of the newest measured checkpoint of a run.
Result<JsonDocument> StoredRows(const JsonValue& scores, std::int64_t step) {
  std::map<std::int64_t, LayerRow> layers;
  for (const JsonValue& score : scores.GetArray()) {
    if (!TextOf(score, "task").starts_with(kTaskPrefix) || NumberOf(score, "step") != step) {
      continue;
    }
    const auto metric = SplitLayer(TextOf(score, "metric"));
    if (!metric) continue;
    LayerRow& row = layers[metric->second];
    if (metric->first == "layer_coupling") SetWithError(score, row.coupling, row.low, row.high);
    if (metric->first == "centred_coupling") {
      SetWithError(score, row.centred, row.centred_low, row.centred_high);
    }
    if (metric->first == "d_rep") SetWithError(score, row.d_rep, row.d_rep_low, row.d_rep_high);
    if (metric->first == "relabelled_coupling") row.relabelled = NumberOf(score, "value");
    if (metric->first == "reinitialised_coupling") row.reinitialised = NumberOf(score, "value");
  }
  JsonWriter json;
  json.BeginArray();
  for (const auto& [layer, row] : layers) WriteRow(json, layer, row);
  return ParseJson(json.EndArray().Text(), "internals");
}

Result<int> ShowStored(const CommandContext& context, const InternalsCommand& command) {
  const std::string& run = command.foreground.directory;
  const Places places = TRY(FindPlaces(context.source, context.services));
  const auto source = TRY(OpenSource(places, context.services));
  const JsonDocument scores = TRY(ParseJson(TRY(source->Ask("scores", {{"run", run}})),
                                            "answer to scores", {.max_bytes = 512u << 20}));
  std::optional<std::int64_t> step;
  for (const JsonValue& score : scores.GetArray()) {
    if (!TextOf(score, "task").starts_with(kTaskPrefix)) continue;
    step = std::max(step.value_or(0), static_cast<std::int64_t>(*NumberOf(score, "step")));
  }
  if (!step) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("\"{}\" is no directory, and no run of that name has internals", run),
                "name a checkpoint's directory, or set evaluation.internals in the configuration");
  }
  const JsonDocument rows = TRY(StoredRows(scores, *step));
  PrintLayers(context, command.format, rows);
  if (!command.format.json && !command.format.csv) {
    context.Print(fmt::format("run {} at step {}, from the history\n", Printable(run), *step));
  }
  return 0;
}

Result<int> Show(const CommandContext& context, const InternalsCommand& command) {
  std::error_code ignored;
  return std::filesystem::is_directory(command.foreground.directory, ignored)
             ? Measure(context, command)
             : ShowStored(context, command);
}

}  // namespace

void AddInternalsVerb(CLI::App& app, CommandContext& context) {
  CLI::App* verb = app.add_subcommand(
      "internals",
      "Look inside a model: layer coupling, competing heads, dimension, each with "
      "what it is for random labels and untrained weights");
  auto command = std::make_shared<InternalsCommand>();
  verb->add_option("CHECKPOINT|RUN", command->foreground.directory,
                   "A checkpoint's directory, or a run whose newest stored internals are shown")
      ->required();
  command->foreground.AddTo(*verb);
  command->format.AddTo(*verb);
  verb->footer(
      "Examples:\n  couplingctl internals out/checkpoint-500\n"
      "  couplingctl scores --run my-run --metric layer_coupling_l12");
  verb->callback([&context, command] {
    context.run = [&context, command] { return Show(context, *command); };
  });
}

}  // namespace couplingd
