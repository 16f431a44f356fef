#include "probes/checkpoint/config_summary.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace couplingd {
namespace {

using Names = std::initializer_list<std::string_view>;

bool EndsWithAny(std::string_view name, Names endings) {
  return std::ranges::any_of(endings,
                             [&](std::string_view ending) { return name.ends_with(ending); });
}

bool IsBuffer(const TensorInfo& tensor) {
  return EndsWithAny(tensor.name, {".masked_bias", ".inv_freq"}) ||
         (tensor.shape.size() == 4 && EndsWithAny(tensor.name, {".attn.bias", ".attention.bias"}));
}

bool IsEmbedding(std::string_view name) {
  return EndsWithAny(name, {"embed_tokens.weight", "embed_in.weight", "wte.weight", "wpe.weight"});
}

bool IsOutputMatrix(std::string_view name) {
  return name == "lm_head.weight" || name == "embed_out.weight";
}

// What a config.json that does not say means, by model type.
bool TiedByDefault(std::string_view model_type) { return model_type == "gpt2"; }

}  // namespace

Result<ConfigSummary> ParseConfigSummary(std::string_view text, std::string_view source) {
  const JsonDocument config =
      TRY(ParseJson(text, source, {.max_bytes = 64u << 20, .max_depth = 32}));
  if (!config.IsObject()) {
    return Fail(ErrorKind::kInvalidData, std::string(source) + ": must be a JSON object");
  }
  ConfigSummary summary;
  summary.model_type = TRY(FindString(config, "model_type", source)).value_or("");
  for (const std::string_view key : {"hidden_size", "n_embd", "d_model"}) {
    if (!summary.d_model) summary.d_model = TRY(FindInt(config, key, source));
  }
  summary.tied_embeddings = TRY(FindBool(config, "tie_word_embeddings", source))
                                .value_or(TiedByDefault(summary.model_type));
  return summary;
}

ParameterCount CountParameters(const std::vector<TensorInfo>& tensors, bool tied_embeddings) {
  const bool has_embedding =
      std::ranges::any_of(tensors, [](const TensorInfo& t) { return IsEmbedding(t.name); });
  ParameterCount count;
  for (const TensorInfo& tensor : tensors) {
    const bool is_copy = tied_embeddings && has_embedding && IsOutputMatrix(tensor.name);
    if (is_copy || IsBuffer(tensor)) continue;
    count.all += tensor.Elements();
    if (!IsEmbedding(tensor.name)) count.outside_embeddings += tensor.Elements();
  }
  return count;
}

}  // namespace couplingd
