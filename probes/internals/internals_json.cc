#include "base/json.h"
#include "probes/internals/internals.h"

namespace couplingd {
namespace {

// NaN becomes null.
void Write(JsonWriter& json, std::string_view key, const Estimate& estimate) {
  json.Key(key).BeginObject().Field("value", estimate.value);
  json.Field("low", estimate.low).Field("high", estimate.high);
  json.Field("stderr", estimate.stderr_value).EndObject();
}

void Write(JsonWriter& json, std::string_view key, const Relabelled& relabelled) {
  json.Key(key).BeginObject().Field("mean", relabelled.mean);
  json.Field("low", relabelled.range.low).Field("high", relabelled.range.high);
  json.Field("p", relabelled.p).EndObject();
}

void Write(JsonWriter& json, std::string_view key, const std::vector<double>& values) {
  json.Key(key).BeginArray();
  for (const double value : values) json.Value(value);
  json.EndArray();
}

void Write(JsonWriter& json, const LayerInternals& layer) {
  json.BeginObject().Field("layer", layer.layer);
  Write(json, "coupling", layer.coupling);
  Write(json, "relabelled", layer.relabelled);
  Write(json, "centred", layer.centred);
  json.Field("reinitialised", layer.reinitialised).Field("verdict", ToString(layer.verdict));
  json.Field("competing_share", layer.competing_share);
  json.Field("competing_heads", layer.competing_heads);
  json.Field("non_finite_heads", layer.non_finite_heads);
  Write(json, "d_rep", layer.d_rep);
  Write(json, "eigenvalues", layer.eigenvalues);
  Write(json, "head_coupling", layer.head_coupling);
  json.EndObject();
}

void Write(JsonWriter& json, std::string_view key, const CompetingCount& count, int of) {
  json.Key(key).BeginObject().Field("count", count.count).Field("of", of);
  Write(json, "relabelled", count.relabelled);
  json.Field("reinitialised", count.reinitialised).EndObject();
}

void WritePrompts(JsonWriter& json, const Internals& internals) {
  const PromptGroups& groups = internals.prompts;
  const std::pair<std::string_view, Eigen::Index> kinds[] = {{"reasoning", groups.reasoning},
                                                             {"truthfulness", groups.truthfulness},
                                                             {"neutral", groups.neutral}};
  json.Key("prompts").BeginObject().Field("hash", internals.prompts_hash);
  int index = 0;
  for (const auto& [name, count] : kinds) {
    json.Key(name).BeginObject().Field("n", static_cast<std::int64_t>(count));
    json.Field("mean_tokens", internals.tokens[index++]).EndObject();
  }
  json.EndObject();
}

}  // namespace

std::string ToJson(const Internals& internals) {
  JsonWriter json;
  json.BeginObject().Field("protocol", internals.protocol);
  WritePrompts(json, internals);
  json.Key("layers").BeginArray();
  for (const LayerInternals& layer : internals.layers) Write(json, layer);
  json.EndArray();
  const auto layers = static_cast<int>(internals.layers.size());
  Write(json, "competing_layers", internals.competing_layers, layers);
  Write(json, "competing_heads", internals.competing_heads, layers * internals.heads_per_layer);
  json.Field("non_finite_heads", internals.non_finite_heads);
  json.Key("bottleneck").BeginObject();
  Write(json, "hidden", internals.output_coupling);
  Write(json, "logits", internals.logits_coupling);
  Write(json, "difference", internals.bottleneck);
  json.Field("reinitialised", internals.bottleneck_reinitialised).EndObject();
  json.Key("ranks").BeginArray();
  for (const RankCoupling& rank : internals.ranks) {
    json.BeginObject().Field("rank", rank.rank);
    Write(json, "coupling", rank.coupling);
    json.EndObject();
  }
  return json.EndArray().EndObject().Text();
}

}  // namespace couplingd
