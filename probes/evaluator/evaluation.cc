#include "probes/evaluator/evaluation.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/hash.h"
#include "history/score_file.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/samples.h"
#include "probes/evaluator/internals_task.h"
#include "probes/evaluator/packs.h"
#include "probes/evaluator/questions.h"
#include "probes/evaluator/time_budget.h"
#include "probes/model/rotary.h"
#include "probes/scoring/planner.h"
#include "probes/scoring/score_log.h"
#include "probes/scoring/scorer.h"

namespace couplingd {
namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(200);
constexpr int kSmallestBudget = 256;  // below it weights are read more than they are used

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

class Evaluator {
 public:
  Evaluator(const EvaluationSettings& settings, const Clock& clock, const SendFrame& send)
      : settings_(settings), clock_(clock), session_(settings, clock, send) {}

  Result<std::string> Run() {
    TRY(session_.Open());
    TRY(OpenPacks());
    TRY(EncodePacks());
    TRY(session_.ChooseDevice());
    TRY(MakePlans());
    TRY(SendStart());
    TRY(session_.StartLoading());
    TRY(KeepWithinTime());
    TRY(Score());
    TRY(Record());
    if (settings_.internals) {
      internals_ = TRY(InternalsError(MeasureInternals(session_, {})));
    }
    return ResultFrame();
  }

 private:
  Status OpenPacks() {
    asked_.packs = TRY(session_.FromOutside("", OpenAllPacks(settings_.packs)));
    if (settings_.budget) items_ = settings_.budget->items;
    if (items_) {
      for (Pack& pack : asked_.packs) KeepItems(pack, *items_, settings_.seed);
    }
    session_.EndStep("open");
    return {};
  }

  Status EncodePacks() {
    const EncodeOptions options = session_.Encoding();
    for (const Pack& pack : asked_.packs) {
      std::vector<EncodedRequest> encoded =
          TRY(EncodeRequests(pack, session_.tokenizer(), options));
      asked_.plans.push_back(MakePlan(pack, encoded));
      std::size_t truncated = 0;
      for (EncodedRequest& request : encoded) {
        TRY(CheckVocabulary(request, pack));
        truncated += request.truncated ? 1 : 0;
        asked_.requests.push_back(
            {std::move(request.tokens), static_cast<int>(request.scored_from)});
      }
      if (truncated > 0) {
        TRY(session_.Note(
            "truncation",
            fmt::format("{}: {} of {} sequences are longer than the model's {} "
                        "positions; what stands first in them was cut off",
                        pack.name, truncated, encoded.size(), session_.config().max_positions)));
      }
    }
    // Before the model is loaded: prompts that do not fit it are found out early.
    if (settings_.internals) TRY(InternalsError(EncodeBuiltInPrompts(session_)));
    session_.EndStep("encode");
    return {};
  }

  template <typename T>
  static Result<T> InternalsError(Result<T> result) {
    if (result) return result;
    Error error = result.error().Within("the inside of the model");
    if (error.hint.empty()) error.hint = "without evaluation.internals it is not looked at";
    return std::unexpected(std::move(error));
  }

  Status CheckVocabulary(const EncodedRequest& request, const Pack& pack) const {
    for (const TokenId token : request.tokens) {
      if (token >= 0 && token < session_.config().vocab_size) continue;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the tokenizer in {} does not fit the model: it gives token id {} "
                              "(item \"{}\" of {}), and the vocabulary has {}",
                              settings_.tokenizer, token, pack.items[request.item].id, pack.name,
                              session_.config().vocab_size),
                  "name the tokenizer that the model was trained with");
    }
    return {};
  }

  Status MakePlans() {
    planning_ = {session_.TokenBudget(), LongestShortText(session_.config())};
    TRY(MakeScoringPlan());
    TRY(FitIntoMemory());
    session_.EndStep("plan");
    return {};
  }

  Status MakeScoringPlan() {
    plan_ = TRY(PlanScoring(asked_.requests, planning_.token_budget, planning_.longest_short));
    return {};
  }

  // Halves the token budget until the plan fits.
  Status FitIntoMemory() {
    MemoryEstimate& needs = memory_;
    needs = EstimateMemory(session_.config(), plan_.forward, session_.MemoryOf());
    const std::optional<std::int64_t> cap = session_.MemoryCap();
    if (!cap) return {};
    const int wanted = planning_.token_budget;
    int& budget = planning_.token_budget;
    while (needs.Peak() > *cap && budget / 2 >= kSmallestBudget) {
      budget /= 2;
      TRY(MakeScoringPlan());
      needs = EstimateMemory(session_.config(), plan_.forward, session_.MemoryOf());
    }
    if (needs.Peak() > *cap) {
      return Fail(ErrorKind::kExhausted,
                  fmt::format("there is not enough memory: of {} MiB it would take {}", *cap >> 20,
                              needs.Text()),
                  "raise evaluation.memory_limit, free memory, or compute in bf16 on a GPU",
                  /*retryable=*/true);
    }
    if (budget == wanted) return {};
    return session_.Note(
        "memory", fmt::format("{} tokens are forwarded at once instead of {}, to fit into {} "
                              "MiB: {}",
                              budget, wanted, *cap >> 20, needs.Text()));
  }

  // With a budget of time: takes as many items as what is left of it allows.
  Status KeepWithinTime() {
    if (!settings_.budget || !settings_.budget->time) return {};
    constexpr int kShareOfMeasuring = 20;
    constexpr double kMargin = 0.9;  // recording, and packs that are not full, take some of it
    const std::chrono::milliseconds budget = *settings_.budget->time;
    const CostModel cost(session_.config());
    const double speed = TRY(
        MeasureSpeed(session_.decoder(), plan_.forward, cost, clock_, budget / kShareOfMeasuring));
    const double left = std::chrono::duration<double>(budget).count() - session_.Seconds();
    const std::int64_t largest = asked_.LargestPack();
    const std::int64_t items = TRY(ItemsWithin(std::max(0.0, kMargin * left * speed), asked_,
                                               settings_.seed, planning_, cost));
    if (items < largest) {
      items_ = items;
      asked_ = Limited(asked_, items, settings_.seed);
      TRY(MakeScoringPlan());
    }
    const double needed = cost.Of(plan_.forward) / speed;
    TRY(session_.Note(
        "budget", fmt::format("{} of the {} items of the largest pack {} {}: {:.3g} TFLOP at "
                              "{:.3g} TFLOP/s take {:.0f} s",
                              items, largest, needed > left ? "are asked, more than fit" : "fit",
                              "into " + FormatItemBudget(*settings_.budget),
                              cost.Of(plan_.forward) / 1e12, speed / 1e12, needed)));
    session_.EndStep("budget");
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
    const ScoreLog log(UnfinishedLogPath(settings_.scores_dir, ScoresKey()),
                       UnfinishedLogTitle(settings_.checkpoint));
    Result<std::vector<ContinuationScore>> scores =
        ScoreRequests(session_.decoder(), plan_, progress, &log);
    TRY(std::move(sent));
    if (!scores && scores.error().kind == ErrorKind::kInvalidData) log.Remove();  // it stays so
    scores_ = TRY(std::move(scores));
    if (const Status read = session_.FinishLoading(); !read) {
      log.Remove();
      return read;
    }
    unfinished_ = log;
    session_.EndStep("score");
    return {};
  }

  // Everything that a token's score depends on. The files stand for the weights, whose hash is not
  // known yet.
  std::string ScoresKey() const {
    JsonWriter json;
    json.BeginObject();
    session_.WriteModel(json);
    session_.WriteFiles(json);
    json.Field("scorer", kScorerVersion).Field("plan", HashOf(plan_.forward));
    return HashHex(json.EndObject().Text());
  }

  // Files first: a result that names them must find them.
  Status Record() {
    std::string samples;
    std::size_t request = 0;
    for (std::size_t i = 0; i < asked_.packs.size(); ++i) {
      const Pack& pack = asked_.packs[i];
      const TaskPlan& plan = asked_.plans[i];
      TaskScores scores{pack.name, {}};
      for (const ItemInfo& item : plan.items) {
        std::vector<ChoiceScore>& of_item = scores.scores.emplace_back();
        for (std::size_t choice = 0; choice < item.choices.size(); ++choice, ++request) {
          of_item.push_back({scores_[request].log_likelihood, scores_[request].is_greedy});
        }
      }
      PackResult result{.name = pack.name, .hash = PackHash(pack)};
      result.metrics = TRY(ComputeMetrics(plan, scores));
      result.plan_hash = TRY(WritePlanFile(settings_.scores_dir, plan));
      result.scores_hash = TRY(WriteScoreFile(settings_.scores_dir, scores, result.plan_hash));
      if (!settings_.samples.empty()) {
        samples += TRY(SampleRows(pack, scores, result.metrics));
      }
      TRY(SendTask(result, plan.items.size()));
      results_.push_back(std::move(result));
    }
    if (!settings_.samples.empty()) TRY(WriteFileAtomically(settings_.samples, samples, 0644));
    if (unfinished_) unfinished_->Remove();
    session_.EndStep("record");
    return {};
  }

  Status SendStart() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "start");
    session_.WriteModel(json);
    json.Field("packs", static_cast<std::int64_t>(asked_.packs.size()));
    json.Field("requests", static_cast<std::int64_t>(asked_.requests.size()));
    json.Field("memory_bytes", memory_.Peak());
    WriteTokens(json);
    return session_.Send(json.EndObject().Text());
  }

  Status SendProgress(std::size_t packs_done) const {
    const ForwardPlan& forward = plan_.forward;
    return session_.Progress(packs_done == 0 ? 0 : forward.packs[packs_done - 1].token_end,
                             static_cast<std::int64_t>(forward.tokens.size()),
                             asked_.packs.size() == 1
                                 ? asked_.packs.front().name
                                 : fmt::format("{} packs", asked_.packs.size()));
  }

  Status SendTask(const PackResult& result, std::size_t items) const {
    JsonWriter json;
    json.BeginObject().Field("frame", "task").Field("task", result.name);
    json.Field("items", static_cast<std::int64_t>(items));
    WriteScores(json, result.metrics);
    return session_.Send(json.EndObject().Text());
  }

  // `trie`: distinct prefixes; each is forwarded once. `naive`: what one pass per request forwards.
  // `read`: log-probabilities that are looked up, in `rows` rows of logits.
  void WriteTokens(JsonWriter& json) const {
    const auto trie = static_cast<std::int64_t>(plan_.forward.tokens.size());
    json.Key("tokens").BeginObject().Field("naive", plan_.naive_tokens).Field("trie", trie);
    json.Field("forwarded", trie);
    std::int64_t rows = 0, last = -1;
    for (const TokenRead& read : plan_.forward.reads) {
      rows += read.row != last ? 1 : 0;
      last = read.row;
    }
    json.Field("read", static_cast<std::int64_t>(plan_.forward.reads.size()));
    json.Field("rows", rows).EndObject();
  }

  std::string ResultFrame() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "result");
    session_.WriteIdentity(json);
    json.Field("scorer", kScorerVersion).Field("items", items_);
    WriteTokens(json);
    session_.WriteSeconds(json);
    json.Key("packs").BeginArray();
    for (const PackResult& pack : results_) {
      json.BeginObject().Field("name", pack.name).Field("hash", pack.hash);
      json.Field("plan_hash", pack.plan_hash).Field("scores_hash", pack.scores_hash);
      WriteScores(json, pack.metrics);
      json.EndObject();
    }
    if (internals_) WriteInternalsPack(json, *internals_);
    json.EndArray();
    if (internals_) WriteReport(json, *internals_);
    return json.EndObject().Text();
  }

  const EvaluationSettings& settings_;
  const Clock& clock_;
  ModelSession session_;
  std::optional<std::int64_t> items_;  // that are asked of each pack; absent: all
  Questions asked_;
  Planning planning_;
  ScoringPlan plan_;
  MemoryEstimate memory_;
  std::vector<ContinuationScore> scores_;  // parallel to the requests
  std::optional<ScoreLog> unfinished_;     // on disk until the result is
  std::vector<PackResult> results_;
  std::optional<Internals> internals_;
};

}  // namespace

Result<std::string> Evaluate(const EvaluationSettings& settings, const Clock& clock,
                             const SendFrame& send) {
  return Evaluator(settings, clock, send).Run();
}

}  // namespace couplingd
