#include "queries/import_lm_eval.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "queries/import_samples.h"
#include "queries/model_names.h"
#include "records/checkpoint_names.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxFileBytes = 64u << 20;
constexpr std::size_t kMaxFiles = 100000;
constexpr std::string_view kStderr = "_stderr";

std::unexpected<Error> Invalid(const std::string& path, std::string cause, std::string hint = "") {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", path, cause), std::move(hint));
}

// "pretrained=A,revision=B" as text, or an object in the newest releases.
std::map<std::string, std::string> ModelArguments(const JsonValue& config) {
  std::map<std::string, std::string> arguments;
  const JsonValue* value = FindMember(config, "model_args");
  if (value && value->IsObject()) {
    for (const auto& member : value->GetObject()) {
      if (member.value.IsString()) arguments[member.name.GetString()] = member.value.GetString();
    }
  } else if (value && value->IsString()) {
    std::string_view rest(value->GetString(), value->GetStringLength());
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      const std::string_view part = rest.substr(0, comma);
      const std::size_t equals = part.find('=');
      if (equals != std::string_view::npos) {
        arguments.emplace(part.substr(0, equals), part.substr(equals + 1));
      }
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return arguments;
}

std::string TextOr(const JsonValue& object, std::string_view key, std::string otherwise = "") {
  const JsonValue* value = FindMember(object, key);
  return value && value->IsString() ? std::string(value->GetString(), value->GetStringLength())
                                    : otherwise;
}

std::string ShortDtype(std::string_view dtype) {
  if (dtype.starts_with("torch.")) dtype.remove_prefix(6);
  if (dtype == "float32") return "fp32";
  if (dtype == "bfloat16") return "bf16";
  if (dtype == "float16") return "fp16";
  return "";
}

// "…_5shot_step512" → 5.
std::optional<std::int64_t> ShotsOfName(std::string_view stem) {
  const std::size_t word = stem.find("shot");
  if (word == std::string_view::npos || word == 0) return std::nullopt;
  std::size_t begin = word;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(stem[begin - 1]))) --begin;
  if (begin == word || word - begin > 4) return std::nullopt;
  return std::stoll(std::string(stem.substr(begin, word - begin)));
}

class FileReader {
 public:
  FileReader(const JsonValue& document, const std::string& path, UnixMillis modified_at,
             const ImportOptions& options)
      : document_(document), path_(path), modified_at_(modified_at), options_(options) {}

  Result<ImportBatch> Read() {
    const JsonValue* results = FindMember(document_, "results");
    if (!results || !results->IsObject()) {
      return Invalid(path_, "no results file of lm-eval: it has no object \"results\"");
    }
    config_ = FindMember(document_, "config");
    if (!config_ || !config_->IsObject()) config_ = &empty_;
    arguments_ = ModelArguments(*config_);
    is_legacy_ = !FindMember(document_, "n-shot") && !FindMember(document_, "lm_eval_version") &&
                 !FindMember(document_, "configs");
    TRY(Identify());
    std::map<std::int64_t, std::vector<Score>> by_shots;
    TRY(ReadTasks(*results, by_shots));
    if (const JsonValue* groups = FindMember(document_, "groups"); groups && groups->IsObject()) {
      TRY(ReadTasks(*groups, by_shots));
    }
    for (auto& [shots, scores] : by_shots) AddEvaluation(shots, std::move(scores));
    if (batch_.results.empty()) return Invalid(path_, "no scores in it");
    return std::move(batch_);
  }

 private:
  // Model, run, step and tokens, from what the file says, then from its name, then from the
  // options.
  Status Identify() {
    const std::string stem = std::filesystem::path(path_).stem().string();
    model_ = arguments_.contains("pretrained") ? arguments_["pretrained"]
                                               : TextOr(document_, "model_name");
    if (model_.empty()) model_ = BaseName(DirectoryName(path_));
    revision_ = arguments_.contains("revision") ? arguments_["revision"]
                                                : TextOr(*config_, "model_revision");
    const NamedModel named = RecogniseModel(model_);
    Run& run = result_.run;
    run.name = options_.run.empty() ? named.run : options_.run;
    run.family = options_.family.empty() ? named.family : options_.family;
    run.parameters = options_.parameters ? options_.parameters : named.parameters;
    run.d_model = options_.d_model ? options_.d_model : named.d_model;
    run.tokens_per_step =
        options_.tokens_per_step ? options_.tokens_per_step : named.tokens_per_step;
    if (!run.parameters) {
      const JsonValue* counted = FindMember(*config_, "model_num_parameters");
      if (counted && counted->IsNumber() && counted->GetDouble() > 0) {
        run.parameters = counted->GetDouble();
      }
    }
    if (run.name.empty())
      return Invalid(path_, "it does not say which model was evaluated", "add --run NAME");
    TRY(IdentifyStep(stem));
    if (run.tokens_per_step) {
      result_.tokens = *run.tokens_per_step * static_cast<double>(result_.step);
    }
    result_.source = path_;
    const bool is_local = model_.starts_with('/') || model_.starts_with('.');
    result_.checkpoint = is_local ? model_ : "hf:" + model_;
    if (!revision_.empty() && revision_ != "main") result_.checkpoint += "@" + revision_;
    named_shots_ = ShotsOfName(stem);
    return {};
  }

  Status IdentifyStep(const std::string& stem) {
    std::optional<std::int64_t> step = options_.step;
    if (!step) step = StepOfName(revision_);
    if (!step) step = StepOfName(BaseName(model_));
    if (!step) step = StepOfName(stem.substr(stem.rfind('_') + 1));
    if (!step) step = StepOfName(BaseName(DirectoryName(path_)));
    if (!step && options_.final) step = 1;
    if (!step) {
      return Invalid(path_, fmt::format("it does not say at which step {} was evaluated", model_),
                     "add --step N, or --final for a finished model");
    }
    result_.step = *step;
    return {};
  }

  Status ReadTasks(const JsonValue& tasks, std::map<std::int64_t, std::vector<Score>>& by_shots) {
    for (const auto& member : tasks.GetObject()) {
      const std::string task(member.name.GetString(), member.name.GetStringLength());
      if (!member.value.IsObject()) {
        return Invalid(path_, fmt::format("results of {} are no object", task));
      }
      if (!seen_.insert(task).second) continue;
      std::vector<Score> scores = ReadScores(task, member.value);
      std::vector<Score>& into = by_shots[Shots(task)];
      std::ranges::move(scores, std::back_inserter(into));
    }
    return {};
  }

  std::vector<Score> ReadScores(const std::string& task, const JsonValue& metrics) {
    std::vector<Score> scores;
    for (const auto& member : metrics.GetObject()) {
      const std::string key(member.name.GetString(), member.name.GetStringLength());
      const std::size_t comma = key.find(',');
      const std::string name = key.substr(0, comma);
      const std::string filter = comma == std::string::npos ? "" : key.substr(comma + 1);
      if (name.ends_with(kStderr) || (!is_legacy_ && comma == std::string::npos)) continue;
      if (!member.value.IsNumber()) continue;
      Score score{.task = task, .metric = name};
      if (!filter.empty() && filter != "none") score.metric += ":" + filter;
      score.value = member.value.GetDouble();
      if (!std::isfinite(score.value)) {
        batch_.notes.push_back(
            fmt::format("{}: {}.{} is {}: left out", path_, task, score.metric, score.value));
        continue;
      }
      const std::string stderr_key =
          name + std::string(kStderr) + (comma == std::string::npos ? "" : "," + filter);
      const JsonValue* error = FindMember(metrics, stderr_key);
      if (error && error->IsNumber() && std::isfinite(error->GetDouble())) {
        score.stderr_value = error->GetDouble();
      }
      score.n = Items(task);
      scores.push_back(score);
      if (task.starts_with("crows_pairs") && name == "pct_stereotype") {
        score.metric.replace(0, name.size(), "unstereotyped");
        score.value = 1 - score.value;
        scores.push_back(score);
      }
    }
    return scores;
  }

  std::optional<std::int64_t> Items(const std::string& task) const {
    const JsonValue* samples = FindMember(document_, "n-samples");
    const JsonValue* counts = samples ? FindMember(*samples, task) : nullptr;
    const JsonValue* effective = counts ? FindMember(*counts, "effective") : nullptr;
    if (!effective || !effective->IsInt64()) return std::nullopt;
    return effective->GetInt64();
  }

  std::int64_t Shots(const std::string& task) const {
    const JsonValue* per_task = FindMember(document_, "n-shot");
    const JsonValue* shots = per_task ? FindMember(*per_task, task) : nullptr;
    if (!shots) {
      const JsonValue* configs = FindMember(document_, "configs");
      const JsonValue* config = configs ? FindMember(*configs, task) : nullptr;
      shots = config ? FindMember(*config, "num_fewshot") : nullptr;
    }
    if (!shots) shots = FindMember(*config_, "num_fewshot");
    return shots && shots->IsInt64() ? shots->GetInt64() : 0;
  }

  UnixMillis Date() const {
    const JsonValue* date = FindMember(document_, "date");
    if (!date || !date->IsNumber() || !(date->GetDouble() > 0 && date->GetDouble() < 1e11)) {
      return modified_at_;
    }
    return static_cast<UnixMillis>(date->GetDouble() * 1000);
  }

  // What else makes results of one task incomparable.
  std::string SeriesDetails() const {
    std::string details;
    const JsonValue* limit = FindMember(*config_, "limit");
    if (limit && limit->IsNumber()) details += fmt::format("|limit={}", limit->GetDouble());
    const std::string dtype = Dtype();
    if (!dtype.empty()) details += "|" + dtype;
    for (const char* key : {"chat_template_sha", "system_instruction_sha"}) {
      const std::string hash = TextOr(document_, key);
      if (!hash.empty()) details += "|" + hash.substr(0, 16);
    }
    return details;
  }

  std::string Dtype() const {
    const std::string stated = ShortDtype(TextOr(*config_, "model_dtype"));
    const auto argument = arguments_.find("dtype");
    return stated.empty() && argument != arguments_.end() ? ShortDtype(argument->second) : stated;
  }

  void AddEvaluation(std::int64_t shots, std::vector<Score> scores) {
    if (scores.empty()) return;
    if (named_shots_ && *named_shots_ != shots) {
      batch_.notes.push_back(
          fmt::format("{}: named {}-shot, but it says num_fewshot {}: recorded as "
                      "{}-shot",
                      path_, *named_shots_, shots, shots));
    }
    ImportedResult result = result_;
    Evaluation& evaluation = result.evaluation;
    evaluation.harness = fmt::format("imported:lm-eval:{}:{}shot",
                                     TextOr(document_, "lm_eval_version", "legacy"), shots);
    evaluation.series_key = evaluation.harness + SeriesDetails();
    std::set<std::string> tasks;
    for (const Score& score : scores) tasks.insert(score.task);
    evaluation.key =
        evaluation.series_key + "|" + HashHex(fmt::format("{}", fmt::join(tasks, "\n")));
    evaluation.pack = "lm-eval";
    evaluation.dtype = Dtype();
    evaluation.started_at = evaluation.finished_at = Date();
    evaluation.scores = std::move(scores);
    batch_.results.push_back(std::move(result));
  }

  const JsonValue& document_;
  const std::string path_;
  const UnixMillis modified_at_;
  const ImportOptions& options_;
  const JsonValue empty_{rapidjson::kObjectType};
  const JsonValue* config_ = &empty_;
  std::map<std::string, std::string> arguments_;
  std::string model_, revision_;
  std::optional<std::int64_t> named_shots_;
  bool is_legacy_ = false;
  std::set<std::string> seen_;
  ImportedResult result_;
  ImportBatch batch_;
};

UnixMillis ModifiedAt(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? static_cast<UnixMillis>(info.st_mtim.tv_sec) * 1000 : 0;
}

Result<ImportBatch> ReadFileOf(const std::string& path, const ImportOptions& options) {
  const std::string text = TRY(ReadFile(path, kMaxFileBytes));
  return ParseLmEval(text, path, ModifiedAt(path), options);
}

// *.json below the directory, sorted; links are not followed.
Result<std::vector<std::string>> JsonFilesBelow(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  auto walk = std::filesystem::recursive_directory_iterator(directory, error);
  for (; !error && walk != std::filesystem::recursive_directory_iterator(); walk.increment(error)) {
    const std::filesystem::path& path = walk->path();
    std::error_code ignored;
    if (path.extension() == ".json" && walk->is_regular_file(ignored))
      files.push_back(path.string());
    if (files.size() > kMaxFiles)
      return Invalid(directory, fmt::format("more than {} files", kMaxFiles));
  }
  if (error) return Invalid(directory, error.message());
  std::ranges::sort(files);
  return files;
}

void Append(ImportBatch& batch, ImportBatch more) {
  std::ranges::move(more.results, std::back_inserter(batch.results));
  std::ranges::move(more.notes, std::back_inserter(batch.notes));
}

// One name, or one size, for several models would mix them.
Status CheckOneModel(const ImportBatch& batch, const ImportOptions& options) {
  if (options.run.empty() && !options.parameters && !options.d_model) return {};
  std::set<std::string> models;
  for (const ImportedResult& result : batch.results) {
    models.insert(result.checkpoint.substr(0, result.checkpoint.find('@')));
  }
  for (const std::string& model : models) {
    if (RecogniseModel(model).run == RecogniseModel(*models.begin()).run) continue;
    return Fail(ErrorKind::kUsage,
                fmt::format("the files are of several models ({} and {})", *models.begin(), model),
                "--run, --parameters and --d-model are for files of one model");
  }
  return {};
}

// A file without "results" is somebody else's and left out; one with them that is damaged is an
// error.
bool IsForeign(const Error& error) {
  return error.message.find("no results file of lm-eval") != std::string::npos;
}

}  // namespace

Result<ImportBatch> ParseLmEval(const std::string& text, const std::string& path,
                                UnixMillis modified_at, const ImportOptions& options) {
  const JsonDocument document = TRY(ParseJson(text, path));
  return FileReader(document, path, modified_at, options).Read();
}

Result<ImportBatch> ReadLmEval(const std::vector<std::string>& paths,
                               const ImportOptions& options) {
  ImportBatch batch;
  const auto append = [&](const std::string& file, ImportBatch more) {
    Append(batch, std::move(more));
    std::ranges::move(SamplesBeside(file), std::back_inserter(batch.samples));
  };
  for (const std::string& path : paths) {
    if (IsSamplesName(BaseName(path))) {
      batch.samples.push_back({path, true});
      continue;
    }
    if (!std::filesystem::is_directory(path)) {
      append(path, TRY(ReadFileOf(path, options)));
      continue;
    }
    for (const std::string& file : TRY(JsonFilesBelow(path))) {
      auto read = ReadFileOf(file, options);
      if (read) {
        append(file, *std::move(read));
      } else if (IsForeign(read.error())) {
        batch.notes.push_back(file + ": no results file of lm-eval: left out");
      } else {
        return std::unexpected(std::move(read).error());
      }
    }
  }
  TRY(CheckOneModel(batch, options));
  if (batch.results.empty()) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("{}: no results of lm-eval", fmt::join(paths, ", ")),
                batch.samples.empty() ? "results_*.json is what lm_eval --output_path writes"
                                      : "samples belong to a results_*.json: name that too");
  }
  return batch;
}

}  // namespace couplingd
