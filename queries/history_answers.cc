#include "queries/history_answers.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/files.h"
#include "base/json.h"
#include "queries/false_alarms.h"
#include "queries/parameters.h"

namespace couplingd {
namespace {

using StateCounts = std::map<std::string, std::int64_t>;

void WriteCounts(JsonWriter& json, const StateCounts& counts) {
  json.BeginObject();
  for (const auto& [state, count] : counts) json.Field(state, count);
  json.EndObject();
}

// Names of runs by id, for rows that carry the id only.
Result<std::map<std::int64_t, Run>> RunsById(HistoryReader& history) {
  std::map<std::int64_t, Run> runs;
  for (Run& run : TRY(history.Runs())) runs.emplace(run.id, std::move(run));
  return runs;
}

void WriteEvent(JsonWriter& json, const Event& event) {
  json.BeginObject().Field("at", FormatTime(event.at)).Field("level", event.level);
  json.Field("subject", event.subject).Field("text", event.text).Field("count", event.count);
  json.EndObject();
}

HistoryFilter AllGenerations() {
  HistoryFilter filter;
  filter.generation = 0;
  return filter;
}

}  // namespace

std::optional<std::string> TimeOrNull(UnixMillis time) {
  if (time == 0) return std::nullopt;
  return FormatTime(time);
}

Result<std::string> AnswerStatus(const QueryContext& context) {
  HistoryReader& history = context.history;
  StateCounts checkpoints, alerts, deliveries;
  UnixMillis last_checkpoint = 0;
  for (const Checkpoint& checkpoint : TRY(history.Checkpoints(AllGenerations()))) {
    ++checkpoints[std::string(ToString(checkpoint.state))];
    last_checkpoint = std::max(last_checkpoint, checkpoint.discovered_at);
  }
  for (const Alert& alert : TRY(history.Alerts({}))) ++alerts[std::string(ToString(alert.state))];
  for (const Delivery& delivery : TRY(history.Deliveries(""))) ++deliveries[delivery.state];
  const std::vector<Run> runs = TRY(history.Runs());
  const auto last_evaluation = TRY(history.Value("last_evaluation_at"));

  JsonWriter json;
  json.BeginObject().Field("store", DirectoryName(history.ScoresDirectory()));
  json.Field("config", context.config.source).Field("runs", static_cast<std::int64_t>(runs.size()));
  json.Key("checkpoints");
  WriteCounts(json, checkpoints);
  json.Key("alerts");
  WriteCounts(json, alerts);
  json.Key("deliveries");
  WriteCounts(json, deliveries);
  json.Key("false_alarms");
  WriteFalseAlarms(json, TRY(FalseAlarmBudgets(history, context.config)));
  json.Field("last_checkpoint_at", TimeOrNull(last_checkpoint));
  json.Field("last_evaluation_at", last_evaluation);
  json.Key("problems").BeginArray();
  constexpr std::int64_t kShown = 20;
  for (const Event& event : TRY(history.Events(kShown))) {
    if (event.level != "info") WriteEvent(json, event);
  }
  return json.EndArray().EndObject().Text();
}

Result<std::string> AnswerRuns(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  std::map<std::int64_t, StateCounts> counts;
  std::map<std::int64_t, Checkpoint> last;
  for (const Checkpoint& checkpoint : TRY(context.history.Checkpoints(AllGenerations()))) {
    ++counts[checkpoint.run_id][std::string(ToString(checkpoint.state))];
    Checkpoint& newest = last.try_emplace(checkpoint.run_id, checkpoint).first->second;
    if (std::tie(newest.generation, newest.step) <
        std::tie(checkpoint.generation, checkpoint.step)) {
      newest = checkpoint;
    }
  }
  JsonWriter json;
  json.BeginArray();
  for (const Run& run : TRY(context.history.Runs())) {
    if (!filter.run.empty() && run.name != filter.run) continue;
    if (!filter.family.empty() && run.family != filter.family) continue;
    json.BeginObject().Field("run", run.name).Field("family", run.family);
    json.Field("generation", run.generation).Field("path", run.path);
    json.Field("parameters", run.parameters).Field("d_model", run.d_model);
    json.Field("tokens_per_step", run.tokens_per_step).Key("checkpoints");
    WriteCounts(json, counts[run.id]);
    const auto newest = last.find(run.id);
    const bool any = newest != last.end();
    json.Field("last_step", any ? std::optional(newest->second.step) : std::nullopt);
    json.Field("last_tokens", any ? newest->second.tokens : std::nullopt).EndObject();
  }
  return json.EndArray().Text();
}

Result<std::string> AnswerCheckpoints(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  const auto runs = TRY(RunsById(context.history));
  JsonWriter json;
  json.BeginArray();
  for (const Checkpoint& checkpoint : TRY(context.history.Checkpoints(filter))) {
    const auto run = runs.find(checkpoint.run_id);
    json.BeginObject().Field("id", checkpoint.id);
    json.Field("run", run == runs.end() ? std::string() : run->second.name);
    json.Field("generation", checkpoint.generation).Field("step", checkpoint.step);
    json.Field("tokens", checkpoint.tokens).Field("parameters", checkpoint.parameters);
    json.Field("path", checkpoint.path).Field("state", ToString(checkpoint.state));
    json.Field("reason", checkpoint.reason).Field("attempts", checkpoint.attempts);
    json.Field("weights_hash", checkpoint.weights_hash);
    json.Field("discovered_at", FormatTime(checkpoint.discovered_at));
    json.Field("updated_at", FormatTime(checkpoint.updated_at)).EndObject();
  }
  return json.EndArray().Text();
}

Result<std::string> AnswerScores(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  JsonWriter json;
  json.BeginArray();
  for (const ScoreRow& row : TRY(context.history.Scores(filter))) {
    json.BeginObject().Field("run", row.run).Field("family", row.family);
    json.Field("checkpoint", row.checkpoint).Field("step", row.step).Field("tokens", row.tokens);
    json.Field("parameters", row.parameters).Field("task", row.score.task);
    json.Field("metric", row.score.metric).Field("value", row.score.value);
    json.Field("stderr", row.score.stderr_value).Field("n", row.score.n).EndObject();
  }
  return json.EndArray().Text();
}

Result<std::string> AnswerEvents(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  JsonWriter json;
  json.BeginArray();
  for (const Event& event : TRY(context.history.Events(filter.limit ? filter.limit : 200))) {
    WriteEvent(json, event);
  }
  return json.EndArray().Text();
}

}  // namespace couplingd
