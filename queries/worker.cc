#include "queries/worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"

namespace couplingd {
namespace {

constexpr std::string_view kSource = "frame of couplingd-probe";

Result<Score> ParseScore(const JsonValue& value) {
  Score score;
  score.task = TRY(GetString(value, "task", kSource));
  score.metric = TRY(GetString(value, "metric", kSource));
  score.value = TRY(GetDouble(value, "value", kSource));
  score.stderr_value = TRY(FindDouble(value, "stderr", kSource));
  score.n = TRY(FindInt(value, "n", kSource));
  return score;
}

Result<WorkerPackResult> ParsePack(const JsonValue& value) {
  WorkerPackResult pack;
  pack.name = TRY(GetString(value, "name", kSource));
  pack.hash = TRY(GetString(value, "hash", kSource));
  pack.plan_hash = TRY(GetString(value, "plan_hash", kSource));
  pack.scores_hash = TRY(GetString(value, "scores_hash", kSource));
  const JsonValue* scores = FindMember(value, "scores");
  if (!scores || !scores->IsArray()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"scores\" must be an array", kSource));
  }
  for (const JsonValue& score : scores->GetArray()) pack.scores.push_back(TRY(ParseScore(score)));
  return pack;
}

Result<WorkerResult> ParseResultFrame(const JsonValue& frame) {
  WorkerResult result;
  result.weights_hash = TRY(GetString(frame, "weights_hash", kSource));
  result.tokenizer_hash = TRY(GetString(frame, "tokenizer_hash", kSource));
  result.model_type = TRY(GetString(frame, "model_type", kSource));
  result.device = TRY(GetString(frame, "device", kSource));
  result.dtype = TRY(GetString(frame, "dtype", kSource));
  result.bos = TRY(GetString(frame, "bos", kSource));
  result.scorer = TRY(GetString(frame, "scorer", kSource));
  result.parameters = TRY(FindDouble(frame, "parameters", kSource));
  if (const auto width = TRY(FindInt(frame, "d_model", kSource))) {
    result.d_model = static_cast<int>(*width);
  }
  result.items = TRY(FindInt(frame, "items", kSource));
  const JsonValue* packs = FindMember(frame, "packs");
  if (!packs || !packs->IsArray()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"packs\" must be an array", kSource));
  }
  for (const JsonValue& pack : packs->GetArray()) result.packs.push_back(TRY(ParsePack(pack)));
  if (const JsonValue* report = FindMember(frame, "report")) {
    result.report = JsonWriter().Value(*report).Text();
  }
  return result;
}

ErrorKind ParseErrorKind(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(ErrorKind::kInternal); ++i) {
    if (ToString(static_cast<ErrorKind>(i)) == text) return static_cast<ErrorKind>(i);
  }
  return ErrorKind::kInternal;
}

Result<Error> ParseErrorFrame(const JsonValue& frame) {
  Error error;
  error.kind = ParseErrorKind(TRY(GetString(frame, "kind", kSource)));
  error.message = TRY(GetString(frame, "message", kSource));
  error.hint = TRY(FindString(frame, "hint", kSource)).value_or("");
  error.retryable = TRY(FindBool(frame, "retryable", kSource)).value_or(false);
  return error;
}

void OrNull(JsonWriter& json, std::string_view key, const std::string& value) {
  json.Key(key);
  value.empty() ? json.Null() : json.Value(value);
}

}  // namespace

std::string ToJson(const WorkerRequest& request) {
  const EvaluationConfig& evaluation = request.evaluation;
  JsonWriter json;
  json.BeginObject().Field("checkpoint", request.checkpoint);
  if (!request.task.empty()) json.Field("task", request.task);
  if (const auto steering = ParseJson(request.steering, "steering"); steering) {
    json.Field("steering", static_cast<const JsonValue&>(*steering));
  }
  OrNull(json, "model_config", request.model_config);
  OrNull(json, "tokenizer", request.tokenizer);
  json.Key("packs").BeginArray();
  for (const std::string& pack : request.packs) json.Value(pack);
  json.EndArray();
  json.Field("dtype", evaluation.dtype)
      .Field("device", evaluation.device)
      .Field("bos", evaluation.bos);
  json.Field("threads", evaluation.threads).Field("token_budget", evaluation.token_budget);
  json.Field("scores_dir", request.scores_dir);
  OrNull(json, "samples", request.samples);
  OrNull(json, "budget", evaluation.budget ? FormatItemBudget(*evaluation.budget) : "");
  json.Field("seed", evaluation.seed).Field("memory_limit_bytes", evaluation.memory_limit);
  json.Field("internals", evaluation.internals);
  json.Field("timeout_s", static_cast<std::int64_t>(evaluation.timeout.count() / 1000));
  json.Key("read_roots").BeginArray();
  for (const std::string& root : request.read_roots) json.Value(root);
  return json.EndArray().EndObject().Text();
}

void WorkerFrames::Take(std::string_view line) {
  if (line.empty()) return;
  const auto take = [&]() -> Status {
    const JsonDocument frame = TRY(ParseJson(line, kSource));
    const std::string kind = TRY(GetString(frame, "frame", kSource));
    if (kind == "progress") {
      const double total = TRY(GetDouble(frame, "total", kSource));
      pace_.Take(TRY(GetDouble(frame, "done", kSource)), total, clock_->Steady());
      task_ = TRY(FindString(frame, "task", kSource)).value_or("");
    } else if (kind == "note") {
      notes_.push_back(TRY(FindString(frame, "text", kSource)).value_or(""));
    } else if (kind == "result") {
      result_ = TRY(ParseResultFrame(frame));
    } else if (kind == "error") {
      if (!error_) error_ = TRY(ParseErrorFrame(frame));
    } else if (kind == "exit") {
      exit_ = WorkerExit{static_cast<int>(TRY(GetInt(frame, "code", kSource))),
                         static_cast<int>(TRY(GetInt(frame, "signal", kSource))),
                         TRY(FindString(frame, "text", kSource)).value_or("")};
    }
    return {};
  };
  if (const Status taken = take(); !taken && !error_) error_ = taken.error();
}

Result<WorkerResult> WorkerFrames::Finish() const {
  if (error_) return std::unexpected(*error_);
  if (!exit_) {
    return Fail(ErrorKind::kInternal, "couplingd-probe ended without its last frame",
                "it was killed, or the disk or memory ran out; see the log", true);
  }
  if (exit_->code != 0 || exit_->signal != 0) {
    return Fail(ErrorKind::kInternal,
                fmt::format("the evaluation process ended with {}", exit_->text), "", true);
  }
  if (!result_)
    return Fail(ErrorKind::kInternal, "the evaluation ended without a result", "", true);
  return *result_;
}

std::vector<Evaluation> ToEvaluations(const WorkerResult& result, const EvaluationConfig& config,
                                      UnixMillis started_at, UnixMillis finished_at) {
  const std::string subset =
      result.items ? fmt::format("{} items, seed {}", *result.items, config.seed) : "all";
  std::vector<Evaluation> evaluations;
  for (const WorkerPackResult& pack : result.packs) {
    Evaluation evaluation;
    const std::string series = fmt::format("{}|{}|{}|{}|{}|{}", result.tokenizer_hash, pack.hash,
                                           result.scorer, result.dtype, result.bos, subset);
    evaluation.series_key = HashHex(series);
    evaluation.key = HashHex(result.weights_hash + "|" + series);
    evaluation.pack = pack.name;
    evaluation.pack_hash = pack.hash;
    evaluation.harness = "couplingd:" + result.scorer;
    evaluation.device = result.device;
    evaluation.dtype = result.dtype;
    evaluation.plan_hash = pack.plan_hash;
    evaluation.scores_hash = pack.scores_hash;
    evaluation.started_at = started_at;
    evaluation.finished_at = finished_at;
    evaluation.scores = pack.scores;
    evaluations.push_back(std::move(evaluation));
  }
  return evaluations;
}

}  // namespace couplingd
