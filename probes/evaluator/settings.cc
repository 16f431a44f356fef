#include "probes/evaluator/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

constexpr std::string_view kSource = "request";
constexpr std::string_view kTokenizerFiles[] = {"tokenizer.json", "tokenizer.model", "vocab.json"};

Result<std::vector<std::string>> Texts(const JsonValue& request, std::string_view field) {
  std::vector<std::string> texts;
  const JsonValue* values = FindMember(request, field);
  if (values == nullptr) return texts;
  const auto wrong = [&] {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("request: field \"{}\" must be an array of paths", field));
  };
  if (!values->IsArray()) return wrong();
  for (const JsonValue& value : values->GetArray()) {
    if (!value.IsString()) return wrong();
    texts.emplace_back(value.GetString(), value.GetStringLength());
  }
  return texts;
}

// Absent and 0 are the same.
Result<std::int64_t> Count(const JsonValue& request, std::string_view field, std::int64_t most) {
  const std::int64_t value = TRY(FindInt(request, field, kSource)).value_or(0);
  if (value < 0 || value > most) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("request: field \"{}\" is {}, outside 0 to {}", field, value, most));
  }
  return value;
}

Result<std::string> BosWord(const JsonValue& request) {
  const JsonValue* value = FindMember(request, "bos");
  if (value != nullptr && value->IsBool()) return std::string(value->GetBool() ? "true" : "false");
  return TRY(FindString(request, "bos", kSource)).value_or("auto");
}

Result<BosMode> ParseBosMode(std::string_view word) {
  if (word == "auto") return BosMode::kAuto;
  if (word == "true") return BosMode::kTrue;
  if (word == "false") return BosMode::kFalse;
  return Fail(ErrorKind::kInvalidData, fmt::format("request: field \"bos\" is \"{}\"", word),
              "use auto, true or false");
}

Result<WorkerTask> ParseTask(std::string_view word) {
  if (word == "evaluate") return WorkerTask::kEvaluate;
  if (word == "internals") return WorkerTask::kInternals;
  if (word == "steer") return WorkerTask::kSteer;
  return Fail(ErrorKind::kInvalidData, fmt::format("request: field \"task\" is \"{}\"", word),
              "use evaluate, internals or steer");
}

}  // namespace

Result<EvaluationSettings> ParseEvaluationSettings(std::string_view request_json) {
  const JsonDocument request =
      TRY(ParseJson(request_json, kSource, {.max_bytes = 16u << 20, .max_depth = 8}));
  EvaluationSettings settings;
  settings.task = TRY(ParseTask(TRY(FindString(request, "task", kSource)).value_or("evaluate")));
  settings.checkpoint = TRY(GetString(request, "checkpoint", kSource));
  settings.model_config = TRY(FindString(request, "model_config", kSource)).value_or("");
  if (settings.model_config.empty()) {
    settings.model_config = JoinPath(settings.checkpoint, "config.json");
  }
  settings.tokenizer = TRY(FindString(request, "tokenizer", kSource)).value_or(settings.checkpoint);
  if (std::ranges::count(kTokenizerFiles, BaseName(settings.tokenizer)) > 0) {
    settings.tokenizer = DirectoryName(settings.tokenizer);
  }
  settings.internals = TRY(FindBool(request, "internals", kSource)).value_or(false);
  settings.packs = TRY(Texts(request, "packs"));
  settings.read_roots = TRY(Texts(request, "read_roots"));
  settings.scores_dir = TRY(GetString(request, "scores_dir", kSource));
  settings.samples = TRY(FindString(request, "samples", kSource)).value_or("");
  settings.device = TRY(FindString(request, "device", kSource)).value_or("auto");
  settings.dtype = TRY(FindString(request, "dtype", kSource)).value_or("auto");
  settings.bos = TRY(BosWord(request));
  settings.bos_mode = TRY(ParseBosMode(settings.bos));
  constexpr std::int64_t kMostThreads = 4096;
  settings.threads = static_cast<int>(TRY(Count(request, "threads", kMostThreads)));
  constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;
  settings.token_budget = static_cast<int>(TRY(Count(request, "token_budget", kMostTokens)));
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (const auto budget = TRY(FindString(request, "budget", kSource))) {
    Result<ItemBudget> parsed = ParseItemBudget(*budget);
    if (!parsed) return std::unexpected(parsed.error().Within("request: field \"budget\""));
    settings.budget = *parsed;
  }
  settings.seed = TRY(FindInt(request, "seed", kSource)).value_or(0);
  settings.memory_limit_bytes = TRY(Count(request, "memory_limit_bytes", kMost));
  settings.device_free_bytes = TRY(Count(request, "device_free_bytes", kMost));
  return settings;
}

}  // namespace couplingd
