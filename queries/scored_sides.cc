#include "queries/scored_sides.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/files.h"
#include "base/json.h"
#include "base/numbers.h"
#include "history/score_file.h"
#include "probes/benchmark/samples.h"

namespace couplingd {
namespace {

std::string DtypeNamed(std::string_view name) {
  if (name.starts_with("torch.")) name.remove_prefix(6);
  if (name == "float32" || name == "float") return "fp32";
  if (name == "bfloat16") return "bf16";
  if (name == "float16" || name == "half") return "fp16";
  return "";
}

// The value of "name=value" in "a=1,name=value", or of a member of that name.
std::optional<std::string> ModelArgument(const JsonValue& config, std::string_view name) {
  const JsonValue* arguments = FindMember(config, "model_args");
  if (!arguments) return std::nullopt;
  if (const JsonValue* value = FindMember(*arguments, name)) {
    if (value->IsString()) return std::string(value->GetString(), value->GetStringLength());
    if (value->IsBool()) return value->GetBool() ? "True" : "False";
    if (value->IsInt64()) return fmt::format("{}", value->GetInt64());
    return std::nullopt;
  }
  if (!arguments->IsString()) return std::nullopt;
  std::string_view rest(arguments->GetString(), arguments->GetStringLength());
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return std::string(pair.substr(equals + 1));
    }
  }
  return std::nullopt;
}

bool LeavesBosToTheTokenizer(std::string_view version) {
  std::vector<std::int64_t> parts;
  while (!version.empty() && parts.size() < 3) {
    const std::string_view part = version.substr(0, version.find('.'));
    version.remove_prefix(std::min(version.size(), part.size() + 1));
    parts.push_back(ParseNumber<std::int64_t>(part).value_or(0));
  }
  return parts >= std::vector<std::int64_t>{0, 4, 13};
}

std::optional<BosMode> BosOf(const JsonValue& results, const JsonValue& config) {
  const auto argument = ModelArgument(config, "add_bos_token");
  if (argument == "True" || argument == "true") return BosMode::kTrue;
  if (argument == "False" || argument == "false") return BosMode::kFalse;
  const JsonValue* version = FindMember(results, "lm_eval_version");
  const bool known =
      version && version->IsString() && LeavesBosToTheTokenizer(version->GetString());
  return known ? std::optional(BosMode::kAuto) : std::nullopt;
}

// ["<s>", "1"].
std::optional<SpecialToken> Special(const JsonValue& results, std::string_view key) {
  const JsonValue* pair = FindMember(results, key);
  if (!pair || !pair->IsArray() || pair->Size() != 2) return std::nullopt;
  const JsonValue &text = (*pair)[0], &id = (*pair)[1];
  if (!text.IsString() || !id.IsString()) return std::nullopt;
  const auto number = ParseNumber<std::int64_t>({id.GetString(), id.GetStringLength()});
  if (!number) return std::nullopt;
  return SpecialToken{{text.GetString(), text.GetStringLength()}, static_cast<TokenId>(*number)};
}

std::optional<std::int64_t> WindowOf(const JsonValue& results, const JsonValue& config) {
  const JsonValue* stated = FindMember(results, "max_length");
  if (stated && stated->IsInt64()) return stated->GetInt64();
  const auto argument = ModelArgument(config, "max_length");
  return argument ? ParseNumber<std::int64_t>(*argument) : std::nullopt;
}

// Items and their scores in the order of the plan, which may be of a part of the pack.
Status TakeItems(const Pack& pack, const TaskPlan& plan, TaskScores scores, ScoredSide& side) {
  std::map<std::string_view, const PackItem*> items;
  for (const PackItem& item : pack.items) items.emplace(item.id, &item);
  side.pack = pack;
  side.pack.items.clear();
  for (const ItemInfo& info : plan.items) {
    const auto found = items.find(info.id);
    if (found == items.end() || found->second->choices.size() != info.choices.size()) {
      return Fail(
          ErrorKind::kInvalidData,
          fmt::format("the pack {} has no item \"{}\" as it was scored", pack.name, info.id));
    }
    side.pack.items.push_back(*found->second);
    std::vector<std::uint32_t> tokens;
    for (const ChoiceInfo& choice : info.choices) tokens.push_back(choice.tokens);
    side.scored_tokens.push_back(std::move(tokens));
  }
  // Imported scores have no tokens.
  const bool counted = std::ranges::all_of(side.scored_tokens, [](const auto& item) {
    return std::ranges::all_of(item, [](std::uint32_t tokens) { return tokens > 0; });
  });
  if (!counted) side.scored_tokens.clear();
  side.scores = std::move(scores);
  return {};
}

}  // namespace

Result<ScoredSide> SideOfSamples(const std::string& path, const std::string& task) {
  SampledTask sampled = TRY(ReadSampleScores(path, task));
  return ScoredSide{.pack = std::move(sampled.pack), .scores = std::move(sampled.scores)};
}

std::string ResultsBeside(const std::string& samples_path) {
  const std::string name = BaseName(samples_path);
  const std::size_t underscore = name.rfind('_');
  if (underscore == std::string::npos || !name.ends_with(".jsonl")) return "";
  const std::string date = name.substr(underscore + 1, name.size() - underscore - 7);
  const std::string path =
      JoinPath(DirectoryName(samples_path), fmt::format("results_{}.json", date));
  return ::access(path.c_str(), R_OK) == 0 ? path : "";
}

Status AddResultsFacts(const std::string& results_path, ScoredSide& side) {
  const JsonDocument results = TRY(ParseJsonFile(results_path, {.max_bytes = 256u << 20}));
  const JsonValue* config = FindMember(results, "config");
  if (!results.IsObject() || !FindMember(results, "results") || !config) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: it has no \"results\" and \"config\"", results_path),
                "lm-eval's results_<date>.json is meant");
  }
  if (const JsonValue* dtype = FindMember(*config, "model_dtype"); dtype && dtype->IsString()) {
    side.dtype = DtypeNamed(dtype->GetString());
  }
  if (side.dtype.empty()) side.dtype = DtypeNamed(ModelArgument(*config, "dtype").value_or(""));
  if (const auto bos = BosOf(results, *config)) side.bos = bos;
  if (const auto window = WindowOf(results, *config); window && *window > 0) {
    side.max_length = static_cast<std::size_t>(*window);
  }
  for (const char* key : {"tokenizer_bos_token", "tokenizer_eos_token"}) {
    if (auto special = Special(results, key)) side.specials.push_back(*std::move(special));
  }
  return {};
}

Result<ScoredSide> SideOfRun(HistoryReader& history, const std::string& run,
                             std::optional<std::int64_t> step, const Pack& pack) {
  if (!TRY(history.FindRun(run))) {
    return Fail(ErrorKind::kNotFound, fmt::format("there is no run \"{}\"", run));
  }
  std::optional<Evaluation> newest;
  std::string other_hash;
  for (const Checkpoint& checkpoint :
       TRY(history.Checkpoints({.run = run, .min_step = step, .max_step = step}))) {
    for (Evaluation& evaluation : TRY(history.Evaluations(checkpoint.id))) {
      if (evaluation.pack != pack.name || evaluation.scores_hash.empty()) continue;
      if (evaluation.pack_hash == PackHash(pack)) {
        newest = std::move(evaluation);
      } else {
        other_hash = evaluation.pack_hash;
      }
    }
  }
  const std::string place = step ? fmt::format("{} step {}", run, *step) : run;
  if (!newest && !other_hash.empty()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: {} was scored with the pack {}, the one named is {}", place,
                            pack.name, other_hash, PackHash(pack)),
                "name the pack that the run was evaluated with");
  }
  if (!newest) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("{}: no scores of the pack {} are stored", place, pack.name),
                "evaluate it with --record, or give its samples with --ours");
  }
  ScoredSide side;
  side.dtype = newest->dtype;
  const TaskPlan plan = TRY(ReadPlanFile(history.ScoresDirectory(), newest->plan_hash));
  TRY(TakeItems(pack, plan, TRY(ReadScoreFile(history.ScoresDirectory(), newest->scores_hash)),
                side));
  return side;
}

}  // namespace couplingd
