#include "probes/evaluator/internals_task.h"

#include "base/hash.h"
#include "probes/internals/prompts.h"
#include "probes/internals/states.h"
#include "probes/scoring/scorer.h"

namespace couplingd {
namespace {

constexpr std::uint64_t kReinitialisationSeed = 1;
constexpr std::string_view kTask = "internals";
constexpr std::int64_t kSteps = 4;

Result<Internals> Measure(ModelSession& session, const PromptSet& prompts,
                          const EncodedPrompts& encoded, bool ranks) {
  const StateOptions options{.token_budget = session.TokenBudget(), .ranks = ranks};
  const PromptStates states =
      TRY(CollectStates(session.decoder(), session.place(), encoded.tokens, options));
  return AnalyseStates(prompts, encoded, states, static_cast<int>(session.config().heads));
}

}  // namespace

Result<EncodedPrompts> EncodeBuiltInPrompts(const ModelSession& session) {
  return EncodePrompts(TRY(BuiltInPrompts()), session.tokenizer(), session.Encoding(),
                       session.config().vocab_size);
}

Result<Internals> MeasureInternals(ModelSession& session, const InternalsOptions& options) {
  const PromptSet prompts = TRY(BuiltInPrompts());
  const EncodedPrompts encoded = TRY(EncodeBuiltInPrompts(session));
  TRY(session.Progress(1, kSteps, kTask));
  Internals internals = TRY(Measure(session, prompts, encoded, options.ranks));
  session.EndStep("internals");
  TRY(session.Progress(2, kSteps, kTask));
  TRY(session.LoadReinitialised(kReinitialisationSeed));
  TRY(session.Progress(3, kSteps, kTask));
  const Internals untrained = TRY(Measure(session, prompts, encoded, /*ranks=*/false));
  session.EndStep("internals_reinitialised");
  CompareWithReinitialised(internals, untrained);
  TRY(session.Progress(kSteps, kSteps, kTask));
  return internals;
}

void WriteInternalsPack(JsonWriter& json, const Internals& internals) {
  json.BeginObject().Field("name", "internals:" + internals.protocol);
  json.Field("hash", HashHex(internals.protocol + "|" + internals.prompts_hash));
  json.Field("plan_hash", "").Field("scores_hash", "").Key("scores").BeginArray();
  for (const Score& score : InternalsScores(internals)) {
    json.BeginObject().Field("task", score.task).Field("metric", score.metric);
    json.Field("value", score.value).Field("stderr", score.stderr_value).Field("n", score.n);
    json.EndObject();
  }
  json.EndArray().EndObject();
}

void WriteReport(JsonWriter& json, const Internals& internals) {
  const auto parsed = ParseJson(ToJson(internals), kTask);
  json.Key("report").BeginObject().Key(kTask);
  parsed ? json.Value(*parsed) : json.Null();
  json.EndObject();
}

Result<std::string> RunInternals(const EvaluationSettings& settings, const Clock& clock,
                                 const SendFrame& send) {
  ModelSession session(settings, clock, send);
  TRY(session.Open());
  session.EndStep("open");
  TRY(session.ChooseDevice());
  JsonWriter start;
  start.BeginObject().Field("frame", "start");
  session.WriteModel(start);
  TRY(session.Send(start.EndObject().Text()));
  TRY(session.Load());
  const Internals internals = TRY(MeasureInternals(session, {.ranks = true}));
  JsonWriter json;
  json.BeginObject().Field("frame", "result");
  session.WriteIdentity(json);
  json.Field("scorer", kScorerVersion);
  session.WriteSeconds(json);
  json.Key("packs").BeginArray();
  WriteInternalsPack(json, internals);
  json.EndArray();
  WriteReport(json, internals);
  return json.EndObject().Text();
}

}  // namespace couplingd
