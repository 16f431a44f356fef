#include "queries/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/json.h"

namespace couplingd {
namespace {

constexpr std::string_view kBody = "import";

void WriteResult(JsonWriter& json, const ImportedResult& result) {
  const Evaluation& evaluation = result.evaluation;
  json.BeginObject().Field("source", result.source).Field("run", result.run.name);
  json.Field("family", result.run.family).Field("parameters", result.run.parameters);
  json.Field("d_model",
             result.run.d_model ? std::optional<std::int64_t>(*result.run.d_model) : std::nullopt);
  json.Field("tokens_per_step", result.run.tokens_per_step).Field("step", result.step);
  json.Field("tokens", result.tokens).Field("checkpoint", result.checkpoint);
  json.Field("weights_hash", result.weights_hash).Field("key", evaluation.key);
  json.Field("series_key", evaluation.series_key).Field("pack", evaluation.pack);
  json.Field("pack_hash", evaluation.pack_hash).Field("harness", evaluation.harness);
  json.Field("device", evaluation.device).Field("dtype", evaluation.dtype);
  json.Field("plan_hash", evaluation.plan_hash).Field("scores_hash", evaluation.scores_hash);
  json.Field("started_at", evaluation.started_at).Field("finished_at", evaluation.finished_at);
  json.Key("scores").BeginArray();
  for (const Score& score : evaluation.scores) {
    json.BeginObject().Field("task", score.task).Field("metric", score.metric);
    json.Field("value", score.value).Field("stderr", score.stderr_value).Field("n", score.n);
    json.EndObject();
  }
  json.EndArray().EndObject();
}

Result<const JsonValue*> Array(const JsonValue& object, std::string_view key) {
  const JsonValue* array = FindMember(object, key);
  if (array && array->IsArray()) return array;
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{}: field \"{}\" must be an array", kBody, key));
}

Result<ImportedResult> ReadResult(const JsonValue& value) {
  ImportedResult result;
  Evaluation& evaluation = result.evaluation;
  result.source = TRY(GetString(value, "source", kBody));
  result.run.name = TRY(GetString(value, "run", kBody));
  result.run.family = TRY(GetString(value, "family", kBody));
  result.run.parameters = TRY(FindDouble(value, "parameters", kBody));
  if (const auto width = TRY(FindInt(value, "d_model", kBody))) {
    result.run.d_model = static_cast<int>(*width);
  }
  result.run.tokens_per_step = TRY(FindDouble(value, "tokens_per_step", kBody));
  result.step = TRY(GetInt(value, "step", kBody));
  result.tokens = TRY(FindDouble(value, "tokens", kBody));
  result.checkpoint = TRY(GetString(value, "checkpoint", kBody));
  result.weights_hash = TRY(GetString(value, "weights_hash", kBody));
  evaluation.key = TRY(GetString(value, "key", kBody));
  evaluation.series_key = TRY(GetString(value, "series_key", kBody));
  evaluation.pack = TRY(GetString(value, "pack", kBody));
  evaluation.pack_hash = TRY(GetString(value, "pack_hash", kBody));
  evaluation.harness = TRY(GetString(value, "harness", kBody));
  evaluation.device = TRY(GetString(value, "device", kBody));
  evaluation.dtype = TRY(GetString(value, "dtype", kBody));
  evaluation.plan_hash = TRY(GetString(value, "plan_hash", kBody));
  evaluation.scores_hash = TRY(GetString(value, "scores_hash", kBody));
  evaluation.started_at = TRY(GetInt(value, "started_at", kBody));
  evaluation.finished_at = TRY(GetInt(value, "finished_at", kBody));
  for (const JsonValue& item : TRY(Array(value, "scores"))->GetArray()) {
    Score& score = evaluation.scores.emplace_back();
    score.task = TRY(GetString(item, "task", kBody));
    score.metric = TRY(GetString(item, "metric", kBody));
    score.value = TRY(GetDouble(item, "value", kBody));
    score.stderr_value = TRY(FindDouble(item, "stderr", kBody));
    score.n = TRY(FindInt(item, "n", kBody));
  }
  if (result.run.name.empty() || evaluation.key.empty() || evaluation.scores.empty() ||
      result.step < 0) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("{}: {}: a result needs a run, a key, a step from 0 and at least one score",
                    kBody, result.source));
  }
  return result;
}

// Takes over what the stored run lacks; true if that changed it.
bool FillIn(Run& stored, const Run& given) {
  const auto fill = [](auto& into, const auto& from) {
    if (into || !from) return false;
    into = from;
    return true;
  };
  bool changed = fill(stored.parameters, given.parameters);
  changed |= fill(stored.d_model, given.d_model);
  changed |= fill(stored.tokens_per_step, given.tokens_per_step);
  if (stored.family.empty() && !given.family.empty()) {
    stored.family = given.family;
    changed = true;
  }
  return changed;
}

class Recorder {
 public:
  Recorder(HistoryWriter& history, const Clock& clock) : history_(history), clock_(clock) {}

  Status Record(const ImportedResult& result) {
    ++summary_.results;
    Known& known = *TRY(KnownRun(result));
    const std::int64_t checkpoint = TRY(KnownCheckpoint(known, result));
    if (IsUnchanged(known, result)) {
      ++summary_.unchanged;
      return {};
    }
    Evaluation evaluation = result.evaluation;
    evaluation.checkpoint_id = checkpoint;
    TRY(history_.SaveEvaluation(evaluation));
    ++summary_.recorded;
    summary_.scores += static_cast<std::int64_t>(evaluation.scores.size());
    return {};
  }

  ImportSummary Take() { return std::move(summary_); }

 private:
  using ScoreKey = std::tuple<std::int64_t, std::string, std::string,
                              std::string>;  // step, task, metric, series

  struct Known {
    Run run;
    std::map<std::int64_t, Checkpoint> by_step;
    std::map<ScoreKey, ScoreRow> scores;
  };

  Result<Known*> KnownRun(const ImportedResult& result) {
    auto [entry, is_new] = runs_.try_emplace(result.run.name);
    Known& known = entry->second;
    if (!is_new) return &known;
    const auto stored = TRY(history_.reader().FindRun(result.run.name));
    known.run = stored.value_or(result.run);
    if (stored && !result.run.family.empty() && stored->family != result.run.family) {
      summary_.notes.push_back(fmt::format("run {} stays in family {}, not {}", stored->name,
                                           stored->family, result.run.family));
    }
    if (!stored || FillIn(known.run, result.run)) known.run.id = TRY(history_.SaveRun(known.run));
    HistoryFilter filter;
    filter.run = known.run.name;
    filter.generation = known.run.generation;
    for (Checkpoint& checkpoint : TRY(history_.reader().Checkpoints(filter))) {
      const std::int64_t step = checkpoint.step;
      known.by_step.insert_or_assign(step, std::move(checkpoint));
    }
    for (const ScoreRow& row : TRY(history_.reader().Scores(filter))) {
      known.scores.insert_or_assign({row.step, row.score.task, row.score.metric, row.series_key},
                                    row);
    }
    return &known;
  }

  Result<std::int64_t> KnownCheckpoint(Known& known, const ImportedResult& result) {
    const auto found = known.by_step.find(result.step);
    if (found != known.by_step.end()) {
      Checkpoint& checkpoint = found->second;
      if (!checkpoint.tokens && result.tokens) {
        checkpoint.tokens = result.tokens;
        TRY(history_.SaveCheckpoint(checkpoint));
      }
      return checkpoint.id;
    }
    Checkpoint checkpoint;
    checkpoint.run_id = known.run.id;
    checkpoint.generation = known.run.generation;
    checkpoint.step = result.step;
    checkpoint.tokens = result.tokens;
    checkpoint.parameters = result.run.parameters;
    checkpoint.path = result.checkpoint;
    checkpoint.signature = "imported:" + result.checkpoint;
    checkpoint.weights_hash = result.weights_hash;
    checkpoint.state = CheckpointState::kEvaluated;
    checkpoint.discovered_at = checkpoint.updated_at = clock_.Now();
    checkpoint.id = TRY(history_.SaveCheckpoint(checkpoint));
    known.by_step.emplace(result.step, checkpoint);
    return checkpoint.id;
  }

  // The same values, with the raw scores where these are given.
  bool IsUnchanged(const Known& known, const ImportedResult& result) const {
    return std::ranges::all_of(result.evaluation.scores, [&](const Score& score) {
      const auto found =
          known.scores.find({result.step, score.task, score.metric, result.evaluation.series_key});
      if (found == known.scores.end()) return false;
      const Score& stored = found->second.score;
      const std::string& raw = result.evaluation.scores_hash;
      return stored.value == score.value && stored.stderr_value == score.stderr_value &&
             stored.n == score.n && (raw.empty() || raw == found->second.scores_hash);
    });
  }

  HistoryWriter& history_;
  const Clock& clock_;
  std::map<std::string, Known> runs_;
  ImportSummary summary_;
};

}  // namespace

std::string ImportToJson(const std::vector<ImportedResult>& results) {
  JsonWriter json;
  json.BeginObject().Key("results").BeginArray();
  for (const ImportedResult& result : results) WriteResult(json, result);
  return json.EndArray().EndObject().Text();
}

Result<std::vector<ImportedResult>> ImportFromJson(std::string_view text) {
  const JsonDocument document = TRY(ParseJson(text, kBody));
  std::vector<ImportedResult> results;
  for (const JsonValue& value : TRY(Array(document, "results"))->GetArray()) {
    results.push_back(TRY(ReadResult(value)));
  }
  return results;
}

std::string ToJson(const ImportSummary& summary) {
  JsonWriter json;
  json.BeginObject().Field("results", summary.results).Field("recorded", summary.recorded);
  json.Field("unchanged", summary.unchanged).Field("scores", summary.scores);
  json.Key("notes").BeginArray();
  for (const std::string& note : summary.notes) json.Value(note);
  return json.EndArray().EndObject().Text();
}

Result<ImportSummary> ImportSummaryFromJson(std::string_view text) {
  const JsonDocument document = TRY(ParseJson(text, "answer to import"));
  ImportSummary summary;
  summary.results = TRY(GetInt(document, "results", kBody));
  summary.recorded = TRY(GetInt(document, "recorded", kBody));
  summary.unchanged = TRY(GetInt(document, "unchanged", kBody));
  summary.scores = TRY(GetInt(document, "scores", kBody));
  for (const JsonValue& note : TRY(Array(document, "notes"))->GetArray()) {
    if (note.IsString()) summary.notes.emplace_back(note.GetString(), note.GetStringLength());
  }
  return summary;
}

Result<ImportSummary> RecordImport(HistoryWriter& history, const Clock& clock,
                                   const std::vector<ImportedResult>& results) {
  Recorder recorder(history, clock);
  TRY(history.Transaction([&]() -> Status {
    for (const ImportedResult& result : results) {
      if (Status recorded = recorder.Record(result); !recorded) {
        return std::unexpected(recorded.error().Within(result.source));
      }
    }
    return {};
  }));
  return recorder.Take();
}

std::vector<std::vector<ImportedResult>> SplitForTransport(
    const std::vector<ImportedResult>& results, std::size_t max_bytes) {
  std::vector<std::vector<ImportedResult>> parts;
  std::size_t bytes = max_bytes;
  for (const ImportedResult& result : results) {
    JsonWriter json;
    WriteResult(json, result);
    const std::size_t size = json.Text().size() + 1;
    if (bytes + size > max_bytes) {
      parts.emplace_back();
      bytes = 32;
    }
    bytes += size;
    parts.back().push_back(result);
  }
  return parts;
}

}  // namespace couplingd
