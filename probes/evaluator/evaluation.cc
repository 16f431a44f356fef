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
#include "probes/device/host_memory.h"
#include "probes/evaluator/internals_task.h"
#include "probes/evaluator/preparation.h"
#include "probes/scoring/score_log.h"
#include "probes/scoring/scorer.h"

namespace couplingd {
namespace {

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

class Evaluator {
 public:
  Evaluator(const EvaluationSettings& settings, const Clock& clock, const SendFrame& send)
      : settings_(settings),
        clock_(clock),
        session_(settings, clock, send),
        prepared_(settings, clock, session_) {}

  Result<std::string> Run() {
    TRY(session_.Open());
    TRY(prepared_.OpenPacks());
    TRY(CheckPrompts());
    TRY(session_.ChooseDevice());
    TRY(prepared_.MakePlan());
    TRY(SendStart());
    TRY(session_.StartLoading());
    TRY(prepared_.KeepWithinTime());
    TRY(Score());
    TRY(Record());
    if (settings_.internals) {
      internals_ = TRY(InternalsError(MeasureInternals(session_, {})));
    }
    if (unfinished_) unfinished_->Remove();
    return ResultFrame();
  }

 private:
  // Before the model is loaded: prompts that do not fit it are found out early.
  Status CheckPrompts() const {
    if (settings_.internals) TRY(InternalsError(EncodeBuiltInPrompts(session_)));
    return {};
  }

  template <typename T>
  static Result<T> InternalsError(Result<T> result) {
    if (result) return result;
    Error error = result.error().Within("the inside of the model");
    if (error.hint.empty()) error.hint = "without evaluation.internals it is not looked at";
    return std::unexpected(std::move(error));
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
        ScoreRequests(session_.decoder(), prepared_.plan(), progress, &log);
    TRY(std::move(sent));
    if (!scores) return std::unexpected(Judged(scores.error(), log));
    scores_ = *std::move(scores);
    if (const Status read = session_.FinishLoading(); !read) {
      return std::unexpected(Judged(read.error(), log));
    }
    unfinished_ = log;
    session_.EndStep("score");
    return {};
  }

  // What bad weights gave, or such as changed, is of no use to another attempt.
  static Error Judged(Error error, const ScoreLog& log) {
    const bool is_final =
        error.kind == ErrorKind::kInvalidData || error.kind == ErrorKind::kVanished;
    if (is_final) log.Remove();
    return error;
  }

  // Everything that a token's score depends on. The files stand for the weights, whose hash is not
  // known yet.
  std::string ScoresKey() const {
    JsonWriter json;
    json.BeginObject();
    session_.WriteModel(json);
    session_.WriteFiles(json);
    json.Field("scorer", kScorerVersion).Field("plan", HashOf(prepared_.plan().forward));
    return HashHex(json.EndObject().Text());
  }

  // Files first: a result that names them must find them.
  Status Record() {
    ReturnFreedMemory();
    std::string samples;
    std::size_t request = 0;
    for (std::size_t i = 0; i < prepared_.packs().size(); ++i) {
      const Pack& pack = prepared_.packs()[i];
      const TaskPlan& plan = prepared_.plans()[i];
      TaskScores scores{pack.name, {}};
      for (const ItemInfo& item : plan.items) {
        std::vector<ChoiceScore>& of_item = scores.scores.emplace_back();
        for (std::size_t choice = 0; choice < item.choices.size(); ++choice, ++request) {
          of_item.push_back({scores_[request].log_likelihood, scores_[request].is_greedy});
        }
      }
      PackResult result{.name = pack.name, .hash = prepared_.pack_hashes()[i]};
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
    session_.EndStep("record");
    return {};
  }

  Status SendStart() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "start");
    session_.WriteModel(json);
    json.Field("packs", std::ssize(prepared_.packs()));
    json.Field("requests", std::ssize(prepared_.plan().first_read) - 1);
    json.Field("memory_bytes", prepared_.memory().Peak());
    WriteTokens(json);
    return session_.Send(json.EndObject().Text());
  }

  Status SendProgress(std::size_t packs_done) const {
    const ForwardPlan& forward = prepared_.plan().forward;
    const std::vector<Pack>& packs = prepared_.packs();
    return session_.Progress(
        packs_done == 0 ? 0 : forward.packs[packs_done - 1].token_end,
        static_cast<std::int64_t>(forward.tokens.size()),
        packs.size() == 1 ? packs.front().name : fmt::format("{} packs", packs.size()));
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
    const auto trie = static_cast<std::int64_t>(prepared_.plan().forward.tokens.size());
    json.Key("tokens")
        .BeginObject()
        .Field("naive", prepared_.plan().naive_tokens)
        .Field("trie", trie);
    json.Field("forwarded", trie);
    std::int64_t rows = 0, last = -1;
    for (const TokenRead& read : prepared_.plan().forward.reads) {
      rows += read.row != last ? 1 : 0;
      last = read.row;
    }
    json.Field("read", static_cast<std::int64_t>(prepared_.plan().forward.reads.size()));
    json.Field("rows", rows).EndObject();
  }

  std::string ResultFrame() const {
    JsonWriter json;
    json.BeginObject().Field("frame", "result");
    session_.WriteIdentity(json);
    json.Field("scorer", kScorerVersion).Field("items", prepared_.items());
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
  Preparation prepared_;
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
