#include "probes/evaluator/evaluation.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "history/score_file.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/samples.h"
#include "probes/checkpoint/hf_directory.h"
#include "probes/evaluator/packs.h"
#include "probes/model/decoder.h"
#include "probes/scoring/planner.h"
#include "probes/scoring/scorer.h"
#include "probes/tokenizer/tokenizer.h"
#include "probes/worker/frames.h"

namespace couplingd {
namespace {

constexpr int kTokenBudgetOnCpu = 2048;
constexpr int kTokenBudgetOnCuda = 16384;
constexpr auto kProgressInterval = std::chrono::milliseconds(200);

struct PackResult {
  std::string name;
  std::string hash;
  std::string plan_hash;
  std::string scores_hash;
  std::vector<MetricResult> metrics;
};

void WriteScores(JsonWriter& json, const std::vector<MetricResult>& metrics) {
  json.Key("scores").BeginArray();
  for (const MetricResult& metric : metrics) {
    const Score& score = metric.score;
    json.BeginObject().Field("task", score.task).Field("metric", score.metric);
    json.Field("value", score.value).Field("stderr", score.stderr_value).Field("n", score.n);
    json.EndObject();
  }
  json.EndArray();
}

// The element type that most of the weights are stored in.
std::string WeightsDType(const TensorSource& source) {
  const TensorInfo* largest = nullptr;
  for (const TensorInfo& tensor : source.tensors()) {
    if (largest == nullptr || tensor.bytes > largest->bytes) largest = &tensor;
  }
  return largest == nullptr ? std::string() : std::string(ToString(largest->dtype));
}

class Evaluator {
 public:
  Evaluator(const EvaluationSettings& settings, const Clock& clock, const SendFrame& send)
      : settings_(settings), clock_(clock), send_(send), started_(clock.Steady()) {}

  Result<std::string> Run() {
    TRY(ReadModelConfig());
    HfWeights weights = TRY(OpenWeights());
    TRY(LoadTokenizerAndPacks());
    TRY(EncodePacks());
    TRY(ChooseDevice(*weights.source));
    TRY(MakePlans());
    TRY(SendStart());
    TRY(LoadModel(std::move(weights)));
    TRY(Score());
    TRY(Record());
    return ResultFrame();
  }

 private:
  Status ReadModelConfig() {
    config_ = TRY(FromOutside(settings_.model_config, ReadModelConfigFile()));
    return {};
  }

  Result<ModelConfig> ReadModelConfigFile() const {
    const ConfinedFile file = TRY(OpenConfined(settings_.model_config, Roots()));
    const JsonDocument json = TRY(ParseJson(TRY(ReadConfined(file)), settings_.model_config));
    return ParseModelConfig(json, settings_.model_config);
  }

  // What the request names beside the checkpoint is not the checkpoint's fault: such an error
  // becomes one of the request.
  template <typename T>
  Result<T> FromOutside(const std::string& path, Result<T> read) const {
    const bool is_of_the_file = !read && (read.error().kind == ErrorKind::kInvalidData ||
                                          read.error().kind == ErrorKind::kUnsupported ||
                                          read.error().kind == ErrorKind::kNotFound ||
                                          read.error().kind == ErrorKind::kPermission);
    if (is_of_the_file && !IsWithin(path, settings_.checkpoint)) {
      read.error().kind = ErrorKind::kUsage;
    }
    return read;
  }

  ReadRoots Roots() const {
    ReadRoots roots = settings_.read_roots;
    roots.push_back(settings_.checkpoint);
    roots.push_back(DirectoryName(settings_.model_config));
    return roots;
  }

  Result<HfWeights> OpenWeights() const {
    return OpenHfDirectory(settings_.checkpoint, {.read_roots = settings_.read_roots});
  }

  Status LoadTokenizerAndPacks() {
    tokenizer_ = TRY(FromOutside(settings_.tokenizer, LoadTokenizer(settings_.tokenizer)));
    packs_ = TRY(FromOutside("", OpenAllPacks(settings_.packs)));
    if (settings_.limit_items) {
      for (Pack& pack : packs_) KeepItems(pack, *settings_.limit_items, settings_.seed);
    }
    EndStep("open");
    return {};
  }

  Status EncodePacks() {
    EncodeOptions options{.bos = settings_.bos_mode,
                          .max_length = static_cast<std::size_t>(config_.max_positions)};
    if (!tokenizer_->bos_id() && !tokenizer_->eos_id()) options.prefix_token = PrefixOfConfig();
    for (const Pack& pack : packs_) {
      std::vector<EncodedRequest> encoded = TRY(EncodeRequests(pack, *tokenizer_, options));
      plans_.push_back(MakePlan(pack, encoded));
      std::size_t truncated = 0;
      for (EncodedRequest& request : encoded) {
        TRY(CheckVocabulary(request, pack));
        truncated += request.truncated ? 1 : 0;
        requests_.push_back({std::move(request.tokens), static_cast<int>(request.scored_from)});
      }
      if (truncated > 0) {
        TRY(Note("truncation",
                 fmt::format("{}: {} of {} sequences are longer than the model's {} "
                             "positions; what stands first in them was cut off",
                             pack.name, truncated, encoded.size(), config_.max_positions)));
      }
    }
    EndStep("encode");
    return {};
  }

  std::optional<TokenId> PrefixOfConfig() const {
    const auto id = config_.bos_token_id ? config_.bos_token_id : config_.eos_token_id;
    return id ? std::optional(static_cast<TokenId>(*id)) : std::nullopt;
  }

  Status CheckVocabulary(const EncodedRequest& request, const Pack& pack) const {
    for (const TokenId token : request.tokens) {
      if (token >= 0 && token < config_.vocab_size) continue;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the tokenizer in {} does not fit the model: it gives token id {} "
                              "(item \"{}\" of {}), and the vocabulary has {}",
                              settings_.tokenizer, token, pack.items[request.item].id, pack.name,
                              config_.vocab_size),
                  "name the tokenizer that the model was trained with");
    }
    return {};
  }

  Status ChooseDevice(const TensorSource& weights) {
    place_ = TRY(ChoosePlace({.device = settings_.device,
                              .dtype = settings_.dtype,
                              .weights_dtype = WeightsDType(weights)}));
    if (!place_.note.empty()) TRY(Note("device", place_.note));
    if (settings_.threads > 0) SetComputeThreads(settings_.threads);
    if (place_.cuda_index >= 0 && settings_.memory_limit_bytes > 0) {
      const int code = place_.cuda.limit_memory(
          place_.cuda_index, static_cast<std::uint64_t>(settings_.memory_limit_bytes));
      if (code != 0) {
        return Fail(ErrorKind::kUnavailable,
                    fmt::format("cannot cap the memory of {}: {}", place_.DeviceName(),
                                place_.cuda.error_text(code)));
      }
    }
    EndStep("device");
    return {};
  }

  Status MakePlans() {
    const int budget = settings_.token_budget > 0 ? settings_.token_budget
                       : place_.cuda_index >= 0   ? kTokenBudgetOnCuda
                                                  : kTokenBudgetOnCpu;
    plan_ = TRY(PlanScoring(requests_, budget));
    EndStep("plan");
    return {};
  }

  Status LoadModel(HfWeights weights) {
    LoadedDecoder loaded = TRY(LoadDecoder(*weights.source, config_, place_,
                                           {.memory_limit_bytes = settings_.memory_limit_bytes}));
    TRY(weights.source->CheckUnchanged());
    decoder_ = std::move(loaded.decoder);
    weights_hash_ = std::move(loaded.weights_hash);
    for (const std::string& note : loaded.notes) TRY(Note("weights", note));
    EndStep("load");
    return {};
  }

  Status Score() {
    Status sent;
    auto last = clock_.Steady() - kProgressInterval;
    const auto progress = [&](std::size_t done, std::size_t packs) {
      if (done < packs && clock_.Steady() - last < kProgressInterval) return true;
      last = clock_.Steady();
      sent = SendProgress(done);
      return sent.has_value();
    };
    Result<std::vector<ContinuationScore>> scores = ScoreRequests(*decoder_, plan_, progress);
    TRY(std::move(sent));
    scores_ = TRY(std::move(scores));
    EndStep("score");
    return {};
  }

  // Files first: a result that names them must find them.
  Status Record() {
    std::string samples;
    std::size_t request = 0;
    for (std::size_t i = 0; i < packs_.size(); ++i) {
      TaskScores scores{packs_[i].name, {}};
      for (const ItemInfo& item : plans_[i].items) {
        std::vector<ChoiceScore>& of_item = scores.scores.emplace_back();
        for (std::size_t choice = 0; choice < item.choices.size(); ++choice, ++request) {
          of_item.push_back({scores_[request].log_likelihood, scores_[request].is_greedy});
        }
      }
      PackResult result{.name = packs_[i].name, .hash = PackHash(packs_[i])};
      result.metrics = TRY(ComputeMetrics(plans_[i], scores));
      result.plan_hash = TRY(WritePlanFile(settings_.scores_dir, plans_[i]));
      result.scores_hash = TRY(WriteScoreFile(settings_.scores_dir, scores, result.plan_hash));
      if (!settings_.samples.empty()) {
        samples += TRY(SampleRows(packs_[i], scores, result.metrics));
      }
      TRY(SendTask(result, plans_[i].items.size()));
      results_.push_back(std::move(result));
    }
    if (!settings_.samples.empty()) TRY(WriteFileAtomically(settings_.samples, samples, 0644));
    EndStep("record");
    return {};
  }

  Status Note(std::string_view topic, std::string_view text) const {
    return send_(NoteFrame(topic, text));
  }

  Status SendStart() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "start");
    WriteModel(json);
    json.Field("packs", static_cast<std::int64_t>(packs_.size()));
    json.Field("requests", static_cast<std::int64_t>(requests_.size()));
    WriteTokens(json);
    return send_(json.EndObject().Text());
  }

  Status SendProgress(std::size_t packs_done) const {
    const ForwardPlan& forward = plan_.forward;
    JsonWriter json;
    json.BeginObject().Field("frame", "progress");
    json.Field("done", forward.packs[packs_done - 1].token_end);
    json.Field("total", static_cast<std::int64_t>(forward.tokens.size()));
    json.Field("task",
               packs_.size() == 1 ? packs_.front().name : fmt::format("{} packs", packs_.size()));
    return send_(json.EndObject().Text());
  }

  Status SendTask(const PackResult& result, std::size_t items) const {
    JsonWriter json;
    json.BeginObject().Field("frame", "task").Field("task", result.name);
    json.Field("items", static_cast<std::int64_t>(items));
    WriteScores(json, result.metrics);
    return send_(json.EndObject().Text());
  }

  void WriteModel(JsonWriter& json) const {
    json.Field("model_type", config_.model_type).Field("parameters", ParameterCount(config_));
    json.Field("d_model", config_.hidden_size);
    json.Field("device", place_.DeviceName()).Field("dtype", ToString(place_.type));
  }

  // `trie`: distinct prefixes; each is forwarded once. `naive`: what one pass per request forwards.
  void WriteTokens(JsonWriter& json) const {
    const auto trie = static_cast<std::int64_t>(plan_.forward.tokens.size());
    json.Key("tokens").BeginObject().Field("naive", plan_.naive_tokens).Field("trie", trie);
    json.Field("forwarded", trie);
    json.Field("read", static_cast<std::int64_t>(plan_.forward.reads.size())).EndObject();
  }

  std::string ResultFrame() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "result").Field("weights_hash", weights_hash_);
    WriteModel(json);
    json.Field("tokenizer_hash", tokenizer_->hash()).Field("bos", settings_.bos);
    json.Field("scorer", kScorerVersion);
    WriteTokens(json);
    json.Key("seconds").BeginObject();
    for (const auto& [step, seconds] : seconds_) json.Field(step, seconds);
    json.Field("total", SecondsSince(started_)).EndObject();
    json.Key("packs").BeginArray();
    for (const PackResult& pack : results_) {
      json.BeginObject().Field("name", pack.name).Field("hash", pack.hash);
      json.Field("plan_hash", pack.plan_hash).Field("scores_hash", pack.scores_hash);
      WriteScores(json, pack.metrics);
      json.EndObject();
    }
    return json.EndArray().EndObject().Text();
  }

  double SecondsSince(std::chrono::steady_clock::time_point start) const {
    return std::chrono::duration<double>(clock_.Steady() - start).count();
  }

  void EndStep(std::string_view name) {
    seconds_.emplace_back(name, SecondsSince(step_.value_or(started_)));
    step_ = clock_.Steady();
  }

  const EvaluationSettings& settings_;
  const Clock& clock_;
  const SendFrame& send_;
  const std::chrono::steady_clock::time_point started_;
  std::optional<std::chrono::steady_clock::time_point> step_;
  std::vector<std::pair<std::string, double>> seconds_;

  ModelConfig config_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<Pack> packs_;
  std::vector<TaskPlan> plans_;           // parallel to packs_
  std::vector<ScoringRequest> requests_;  // of all packs, in the order of packs, items and choices
  Place place_;
  ScoringPlan plan_;
  std::unique_ptr<Decoder> decoder_;
  std::string weights_hash_;
  std::vector<ContinuationScore> scores_;  // parallel to requests_
  std::vector<PackResult> results_;
};

}  // namespace

Result<std::string> Evaluate(const EvaluationSettings& settings, const Clock& clock,
                             const SendFrame& send) {
  return Evaluator(settings, clock, send).Run();
}

}  // namespace couplingd
