#include "probes/evaluator/steer_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "probes/evaluator/internals_task.h"
#include "probes/internals/prompts.h"
#include "probes/internals/states.h"
#include "probes/internals/steering.h"
#include "probes/scoring/scorer.h"

namespace couplingd {
namespace {

constexpr std::string_view kSource = "request";
constexpr int kMostTokens = 4096;
constexpr int kRandomDirections = 20;
constexpr double kSweepStrengths[] = {0.5, 1.5, 3.0};
constexpr std::uint64_t kRandomSeed = 1000;

struct SweepRow {
  double strength = 0;
  std::size_t changed = 0, changed_at_random = 0;
};

struct Grades {
  PairedGrade truth, reasoning;
};

class Steering {
 public:
  Steering(const EvaluationSettings& settings, const SteeringSettings& steering, const Clock& clock,
           const SendFrame& send)
      : steering_(steering), session_(settings, clock, send) {}

  Result<std::string> Run() {
    TRY(session_.Open());
    layer_ = TRY(SteeringLayer(session_.config().layers, steering_.layer));
    prompts_ = TRY(BuiltInPrompts());
    TRY(EncodeAll());
    session_.EndStep("open");
    TRY(session_.ChooseDevice());
    TRY(SendStart());
    TRY(session_.Load());
    TRY(FindDirection());
    TRY(ChooseStrength());
    if (!steering_.prompt.empty()) TRY(WriteTexts());
    if (!steering_.prompts.empty()) TRY(Sweep());
    if (steering_.grade) TRY(Grade());
    return ResultFrame();
  }

 private:
  Result<std::vector<std::vector<TokenId>>> Encode(const std::vector<std::string>& texts) const {
    return EncodeTexts(texts, session_.tokenizer(), session_.Encoding(),
                       session_.config().vocab_size);
  }

  Status EncodeAll() {
    std::vector<std::string> trues, falses;
    for (const StatementPair& pair : prompts_.statements) {
      trues.push_back(pair.true_one);
      falses.push_back(pair.false_one);
    }
    trues_ = TRY(Encode(trues));
    falses_ = TRY(Encode(falses));
    if (!steering_.strength) encoded_ = TRY(EncodeBuiltInPrompts(session_));
    if (!steering_.prompt.empty()) prompt_ = TRY(Encode({steering_.prompt}))[0];
    sweep_ = TRY(Encode(steering_.prompts));
    if (steering_.grade) {
      const EncodeOptions options = session_.Encoding();
      truth_requests_ = TRY(EncodeRequests(prompts_.truth_items, session_.tokenizer(), options));
      reasoning_requests_ =
          TRY(EncodeRequests(prompts_.reasoning_items, session_.tokenizer(), options));
    }
    return {};
  }

  Status SendStart() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "start");
    session_.WriteModel(json);
    return session_.Send(json.EndObject().Text());
  }

  Status FindDirection() {
    direction_ = TRY(FindTruthDirection(session_.decoder(), session_.place(), trues_, falses_,
                                        layer_, session_.TokenBudget()));
    session_.EndStep("direction");
    return {};
  }

  Status ChooseStrength() {
    if (steering_.strength) {
      strength_ = *steering_.strength;
      return {};
    }
    const PromptStates states = TRY(
        CollectStates(session_.decoder(), session_.place(), encoded_.tokens,
                      {.token_budget = session_.TokenBudget(), .heads = false, .logits = false}));
    const Eigen::MatrixXd vectors =
        states.residual[static_cast<std::size_t>(layer_)].cast<double>();
    coupling_ = CosineOfMeans(vectors * vectors.transpose(), encoded_.groups);
    if (!std::isfinite(*coupling_)) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the coupling of layer {} does not exist, so that no strength "
                              "follows from it",
                              layer_),
                  "name a strength with --strength; the training run has probably diverged");
    }
    strength_ = AdaptiveStrength(*coupling_);
    session_.EndStep("coupling");
    return {};
  }

  // Runs `work` with the direction times the strength added; a strength of 0 adds nothing.
  template <typename Work>
  auto Steered(const Eigen::VectorXf& unit, double strength, const Work& work) {
    const auto hook =
        MakeSteeringHook(session_.place(), layer_, unit * static_cast<float>(strength));
    session_.decoder().Attach(strength == 0 ? nullptr : hook.get());
    auto result = work();
    session_.decoder().Attach(nullptr);
    return result;
  }

  GenerationOptions Generation() const {
    GenerationOptions options{.max_tokens = steering_.max_tokens,
                              .sample = steering_.sample,
                              .seed = static_cast<std::uint64_t>(steering_.seed)};
    if (const auto end = session_.tokenizer().eos_id()) options.stop.push_back(*end);
    return options;
  }

  Result<std::string> TextOf(const std::vector<TokenId>& prompt, double strength) {
    const auto tokens = TRY(Steered(direction_.unit, strength, [&] {
      return Generate(session_.decoder(), prompt, Generation());
    }));
    return session_.tokenizer().Decode(tokens);
  }

  Status WriteTexts() {
    without_ = TRY(TextOf(prompt_, 0));
    TRY(session_.Progress(1, 2, "steer"));
    with_ = TRY(TextOf(prompt_, strength_));
    TRY(session_.Progress(2, 2, "steer"));
    session_.EndStep("generate");
    return {};
  }

  // A text changes where steering would have chosen another token anywhere in it.
  Result<std::size_t> Changed(const Eigen::VectorXf& unit, double strength) {
    const std::vector<bool> stays = TRY(Steered(unit, strength, [&] {
      return StaysGreedy(session_.decoder(), sweep_, sweep_texts_, session_.TokenBudget());
    }));
    return static_cast<std::size_t>(std::ranges::count(stays, false));
  }

  Status Sweep() {
    GenerationOptions options = Generation();
    for (const std::vector<TokenId>& prompt : sweep_) {
      sweep_texts_.push_back(TRY(Generate(session_.decoder(), prompt, options)));
      TRY(session_.Progress(static_cast<std::int64_t>(sweep_texts_.size()),
                            static_cast<std::int64_t>(sweep_.size()), "sweep"));
    }
    std::vector<double> strengths(std::begin(kSweepStrengths), std::end(kSweepStrengths));
    if (strength_ != 0 && std::ranges::find(strengths, strength_) == strengths.end()) {
      strengths.push_back(strength_);
    }
    std::ranges::sort(strengths);
    const Eigen::VectorXf random = RandomDirection(direction_.unit.size(), kRandomSeed);
    for (const double strength : strengths) {
      rows_.push_back(
          {strength, TRY(Changed(direction_.unit, strength)), TRY(Changed(random, strength))});
    }
    session_.EndStep("sweep");
    return {};
  }

  Result<std::vector<double>> Margins(const Pack& pack, const std::vector<EncodedRequest>& requests,
                                      const Eigen::VectorXf& unit, double strength) {
    return Steered(unit, strength, [&] {
      return ItemMargins(session_.decoder(), pack, requests, session_.TokenBudget());
    });
  }

  Result<PairedGrade> GradeItems(const Pack& pack, const std::vector<EncodedRequest>& requests) {
    const auto without = TRY(Margins(pack, requests, direction_.unit, 0));
    const auto with = TRY(Margins(pack, requests, direction_.unit, strength_));
    std::vector<std::vector<double>> random;
    for (int i = 0; i < kRandomDirections; ++i) {
      const Eigen::VectorXf unit = RandomDirection(direction_.unit.size(), kRandomSeed + i);
      random.push_back(TRY(Margins(pack, requests, unit, strength_)));
      TRY(session_.Progress(i + 1, kRandomDirections, pack.name));
    }
    return GradeMargins(without, with, random, kRandomSeed);
  }

  Status Grade() {
    grades_ = Grades{TRY(GradeItems(prompts_.truth_items, truth_requests_)),
                     TRY(GradeItems(prompts_.reasoning_items, reasoning_requests_))};
    session_.EndStep("grade");
    return {};
  }

  std::string Protocol() const { return fmt::format("{}-last", prompts_.name); }

  static void Write(JsonWriter& json, std::string_view key, const PairedGrade& grade,
                    std::size_t n) {
    double sum = 0, most = grade.random.empty() ? 0 : grade.random[0];
    for (const double gain : grade.random) {
      sum += gain;
      most = std::max(most, gain);
    }
    json.Key(key).BeginObject().Field("n", static_cast<std::int64_t>(n));
    json.Field("without", grade.without).Field("with", grade.with);
    json.Field("difference", grade.difference.value).Field("low", grade.difference.low);
    json.Field("high", grade.difference.high).Key("random").BeginObject();
    json.Field("directions", static_cast<std::int64_t>(grade.random.size()));
    json.Field("mean", sum / static_cast<double>(std::max<std::size_t>(1, grade.random.size())));
    json.Field("most", most).EndObject().Field("p", grade.p).EndObject();
  }

  // Truer only where it is beyond chance among items and among directions.
  std::string_view Verdict() const {
    const PairedGrade& truth = grades_->truth;
    if (strength_ == 0) return "not steered";
    if (truth.difference.low > 0 && truth.p < 0.05) return "truer";
    if (truth.difference.high < 0) return "less true";
    return "undetermined";
  }

  void WriteReport(JsonWriter& json) const {
    json.Key("report").BeginObject().Key("steering").BeginObject();
    json.Field("protocol", Protocol()).Field("prompts_hash", prompts_.hash);
    json.Field("layer", layer_).Field("layers", session_.config().layers);
    json.Field("strength", strength_).Field("adaptive", !steering_.strength.has_value());
    json.Field("coupling", coupling_).Field("mean_norm", direction_.mean_norm);
    json.Field("relative_strength", strength_ / direction_.mean_norm);
    json.Field("sample", steering_.sample).Field("seed", steering_.seed);
    if (without_) {
      json.Field("prompt", steering_.prompt).Field("without", *without_).Field("with", *with_);
      json.Field("changed", *without_ != *with_);
    }
    if (!rows_.empty()) {
      json.Key("sweep").BeginArray();
      for (const SweepRow& row : rows_) {
        json.BeginObject().Field("strength", row.strength);
        json.Field("changed", static_cast<std::int64_t>(row.changed));
        json.Field("changed_at_random", static_cast<std::int64_t>(row.changed_at_random));
        json.Field("n", static_cast<std::int64_t>(sweep_.size())).EndObject();
      }
      json.EndArray();
    }
    if (grades_) {
      json.Key("grade").BeginObject().Field("verdict", Verdict());
      Write(json, "truth", grades_->truth, prompts_.truth_items.items.size());
      Write(json, "reasoning", grades_->reasoning, prompts_.reasoning_items.items.size());
      json.EndObject();
    }
    json.EndObject().EndObject();
  }

  void WriteScore(JsonWriter& json, std::string_view metric, const PairedGrade& grade,
                  std::size_t n) const {
    json.BeginObject().Field("task", "steering:" + Protocol()).Field("metric", metric);
    json.Field("value", grade.difference.value).Field("stderr", grade.difference.stderr_value);
    json.Field("n", static_cast<std::int64_t>(n)).EndObject();
  }

  void WritePacks(JsonWriter& json) const {
    json.Key("packs").BeginArray();
    if (grades_) {
      const std::string identity =
          fmt::format("{}|{}|{}|{}", Protocol(), prompts_.hash, layer_, strength_);
      json.BeginObject().Field("name", "steering:" + Protocol()).Field("hash", HashHex(identity));
      json.Field("plan_hash", "").Field("scores_hash", "").Key("scores").BeginArray();
      WriteScore(json, "truth_gain", grades_->truth, prompts_.truth_items.items.size());
      WriteScore(json, "reasoning_gain", grades_->reasoning, prompts_.reasoning_items.items.size());
      json.EndArray().EndObject();
    }
    json.EndArray();
  }

  std::string ResultFrame() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "result");
    session_.WriteIdentity(json);
    json.Field("scorer", kScorerVersion);
    session_.WriteSeconds(json);
    WritePacks(json);
    WriteReport(json);
    return json.EndObject().Text();
  }

  const SteeringSettings& steering_;
  ModelSession session_;
  int layer_ = 0;
  PromptSet prompts_;
  std::vector<std::vector<TokenId>> trues_, falses_, sweep_, sweep_texts_;
  std::vector<TokenId> prompt_;
  EncodedPrompts encoded_;
  std::vector<EncodedRequest> truth_requests_, reasoning_requests_;
  TruthDirection direction_;
  double strength_ = 0;
  std::optional<double> coupling_;
  std::optional<std::string> without_, with_;
  std::vector<SweepRow> rows_;
  std::optional<Grades> grades_;
};

Result<int> IntWithin(const JsonValue& json, std::string_view field, int fallback, int least,
                      int most) {
  const std::int64_t value = TRY(FindInt(json, field, kSource)).value_or(fallback);
  if (value >= least && value <= most) return static_cast<int>(value);
  return Fail(ErrorKind::kInvalidData, fmt::format("request: field \"{}\" is {}, outside {} to {}",
                                                   field, value, least, most));
}

}  // namespace

Result<SteeringSettings> ParseSteeringSettings(std::string_view request_json) {
  const JsonDocument request =
      TRY(ParseJson(request_json, kSource, {.max_bytes = 16u << 20, .max_depth = 8}));
  const JsonValue* json = FindMember(request, "steering");
  if (json == nullptr) {
    return Fail(ErrorKind::kInvalidData, "request: field \"steering\" must be an object");
  }
  SteeringSettings settings;
  settings.prompt = TRY(FindString(*json, "prompt", kSource)).value_or("");
  if (const JsonValue* prompts = FindMember(*json, "prompts"); prompts && prompts->IsArray()) {
    for (const JsonValue& prompt : prompts->GetArray()) {
      if (prompt.IsString()) settings.prompts.emplace_back(prompt.GetString());
    }
  }
  settings.strength = TRY(FindDouble(*json, "strength", kSource));
  settings.layer = TRY(IntWithin(*json, "layer", 0, 0, 1 << 20));
  settings.sample = TRY(FindBool(*json, "sample", kSource)).value_or(false);
  settings.seed = TRY(FindInt(*json, "seed", kSource)).value_or(1);
  settings.max_tokens = TRY(IntWithin(*json, "max_tokens", 48, 1, kMostTokens));
  settings.grade = TRY(FindBool(*json, "grade", kSource)).value_or(false);
  if (settings.strength && !std::isfinite(*settings.strength)) {
    return Fail(ErrorKind::kInvalidData, "request: field \"strength\" is not finite");
  }
  return settings;
}

Result<std::string> RunSteering(const EvaluationSettings& settings,
                                const SteeringSettings& steering, const Clock& clock,
                                const SendFrame& send) {
  return Steering(settings, steering, clock, send).Run();
}

}  // namespace couplingd
