// What a checkpoint's config.json says about its decoder. Every family is one row of a table
// (FindFamily): its defaults, its tensor names and its switches. The forward pass reads the
// switches and never the name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace couplingd {

enum class NormKind {
  kLayerNorm,       // (x − mean) / sqrt(biased variance + eps) · weight + bias
  kRmsNorm,         // x / sqrt(mean(x²) + eps) in fp32, cast to the input's dtype, then · weight
  kRmsNormWide,     // the product with the weight in fp32 too (OLMo 2)
  kRmsNormOnePlus,  // in fp32, · (1 + weight) (Gemma)
};

// Where a layer's norms stand and what is added to what. A norm without a name is left out.
enum class Residual {
  kSequential,  // h = x + attention(norm₁ x); h + mlp(norm₂ h)
  kParallel,    // x + attention(norm₁ x) + mlp(norm₂ x); without norm₂ both read norm₁ x
  kAfter,       // h = norm₁(x + attention(x)); norm₂(h + mlp(h))
  kOfNorms,     // n = norm₁ x; h = n + attention(n); m = norm₂ h; m + mlp(m)
};

// How the file stores the query, key and value projections.
enum class QkvLayout {
  kSeparate,       // three tensors
  kFusedBlocks,    // one tensor: all queries, all keys, all values
  kFusedPerGroup,  // one tensor, rows [kv_heads, queries per key head + 2, head_dim]
};

// Norms of queries and keys, before they rotate.
enum class QkNorm {
  kNone,
  kShared,   // of each head, with one weight for all [head_dim]
  kPerHead,  // of each head, with a weight of its own [head_dim] in a tensor of its own
  kWhole,    // of all heads as one vector [heads · head_dim]
};

enum class Activation { kGelu, kGeluTanh, kQuickGelu, kSilu, kRelu, kReluSquared };

// Which elements of the rotated part turn together: i and i + dim / 2, or 2i and 2i + 1.
enum class Rotary { kNone, kHalf, kInterleaved };

enum class RopeScalingKind { kNone, kLinear, kLlama3, kYarn, kLongRope, kProportional };

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1;
  double original_max_positions = 0;  // llama3, yarn, longrope
  double attention_factor = 1;        // yarn, longrope: cosines and sines are multiplied by it
  double low_frequency_factor = 1;    // llama3 only, like the next
  double high_frequency_factor = 4;
  double beta_fast = 32;  // yarn only, like the next two
  double beta_slow = 1;
  bool truncate = true;
  // longrope: one per pair. `long` for sequences of more than original_max_positions tokens.
  std::vector<double> short_factors, long_factors;
  std::int64_t rotating_pairs = 0;  // proportional: the pairs behind these stand still
};

struct Rope {
  std::int64_t dim = 0;  // the first so many elements of a head rotate
  double theta = 10000;
  RopeScaling scaling;
};

// ALiBi (Press et al., 2022): scores of key k get slope · k, per head.
struct Alibi {
  std::vector<float> slopes;  // one per head; empty: none
  // Falcon: the products are rounded to bf16 and added before the scores are scaled.
  bool is_rounded_and_scaled = false;
};

// What may differ from layer to layer.
struct LayerConfig {
  std::int64_t kv_heads = 0;  // 0 until the family's rule has spoken: ModelConfig's, like the next
  std::int64_t head_dim = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t window = 0;       // a token sees so many keys, itself among them; 0: all before it
  std::size_t rope = 0;          // into ModelConfig::ropes
  bool has_experts = false;      // a router and experts in place of the one MLP, or beside it
  bool values_are_keys = false;  // the values are the keys as projected, before norm and rotation
  std::optional<std::size_t> keys_of;  // an earlier layer, whose keys and values this one reads

  // Rows of the key and of the value projection that the layer has.
  std::int64_t KeyRows() const { return keys_of ? 0 : kv_heads * head_dim; }
  std::int64_t ValueRows() const { return values_are_keys ? 0 : KeyRows(); }
};

// Gemma 4: each layer adds a gated projection of a small vector that follows from the token and
// from its embedding.
struct LayerInputs {
  std::int64_t size = 0;  // of one layer's vector; 0: none
  std::int64_t vocab_size = 0;
};

struct Experts {
  std::int64_t count = 0;  // 0: no layer has any
  std::int64_t per_token = 0;
  std::int64_t intermediate_size = 0;
  bool renormalise = false;  // the chosen ones' probabilities to sum 1
  // Gemma 4: the one MLP stays, the router reads a scaled norm of its own, experts have scales.
  bool beside_mlp = false;
  // One tensor over all experts for gate and up and one for down, without ".weight", as newer
  // transformers may write them. LoadWeights sets it by what the file holds.
  bool are_fused = false;
};

// Stems of the family's tensor names: ".weight" and ".bias" follow. "{}" stands for the layer's
// number, a second one for the expert's or head's. An empty stem is a tensor that the family does
// not have.
struct TensorNames {
  std::string_view prefix{};  // of everything but the head; may be missing in the file
  std::string_view embedding{};
  std::string_view project_in{};  // from the embedding's width to the layers', without bias
  std::string_view positions{};   // learned absolute positions
  std::string_view embedding_norm{};
  std::string_view first_norm{};
  std::string_view query{}, key{}, value{};  // QkvLayout::kSeparate
  std::string_view fused_qkv{};              // the other layouts
  std::string_view query_norm{}, key_norm{};
  std::string_view layer_embedding{};  // LayerInputs of the model: [vocab, layers · size]
  std::string_view layer_projection{}, layer_projection_norm{};
  std::string_view attention_output{};
  std::string_view attention_output_norm{};  // of the sum's new part
  std::string_view second_norm{};
  std::string_view gate{};  // gated MLPs only
  std::string_view up{};
  std::string_view fused_gate_up{};  // in place of both
  std::string_view down{};
  std::string_view mlp_output_norm{};
  std::string_view layer_input_gate{}, layer_input_projection{}, layer_input_norm{};
  std::string_view
      layer_scale{};  // one number, without ".weight", that multiplies the layer's output
  std::string_view router{}, fused_router{};  // fused: beside experts in one tensor
  std::string_view expert_gate{}, expert_up{}, expert_down{};
  std::string_view fused_expert_gate_up{}, fused_expert_down{};
  std::string_view router_scale{}, expert_scale{};  // without ".weight"; Experts::beside_mlp only
  std::string_view mlp_branch_norm{}, expert_input_norm{}, expert_output_norm{};
  std::string_view final_norm{};
  std::string_view project_out{};         // and back
  std::vector<std::string_view> heads{};  // accepted names of the output matrix, without the prefix
};

struct ModelConfig {
  std::string model_type;
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t embedding_size = 0;  // differs from hidden_size where names.project_in is there
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t max_positions = 0;    // also the longest input that is scored
  std::int64_t position_offset = 0;  // rows of the position table before the first position

  NormKind norm = NormKind::kLayerNorm;
  bool norm_weight = true;  // norms have a weight
  bool norm_bias = true;    // layer norms have a bias, too
  double norm_epsilon = 1e-5;
  Residual residual = Residual::kSequential;
  QkvLayout qkv_layout = QkvLayout::kSeparate;
  QkNorm qk_norm = QkNorm::kNone;
  bool qk_norm_bias = false;
  bool value_norm = false;              // values are normalised per head, without a weight
  bool transposed_projections = false;  // weights lie as [in, out]
  bool qkv_bias = false;
  bool attention_output_bias = false;
  bool mlp_bias = false;
  bool head_bias = false;
  bool gated_mlp = false;
  Activation activation = Activation::kGelu;
  double embedding_scale = 1;             // rounded to the compute type
  double clip_qkv = 0;                    // queries, keys and values to ± this; 0: as they are
  double attention_scale = 1;             // of the scores
  bool scale_attention_by_layer = false;  // scores / (layer + 1)
  double attention_softcap = 0;           // c · tanh(score / c); 0: none
  double logit_softcap = 0;               // likewise, of the logits
  Alibi alibi;
  Rotary rotary = Rotary::kNone;
  std::vector<Rope> ropes;
  Experts experts;
  LayerInputs layer_inputs;
  std::vector<LayerConfig> layer;  // one per layer
  bool tie_embeddings = false;

  std::optional<std::int64_t> bos_token_id;
  std::optional<std::int64_t> eos_token_id;  // the first where the file lists several
  std::string dtype;                         // as the file names it; empty where it does not
  TensorNames names;
};

enum class TensorRole {
  kEmbedding,
  kProjectIn,
  kPositions,
  kEmbeddingNorm,
  kLayerEmbedding,
  kLayerProjection,
  kLayerProjectionNorm,
  kFirstNorm,
  kQuery,
  kKey,
  kValue,
  kFusedQkv,
  kQueryNorm,
  kKeyNorm,
  kAttentionOutput,
  kAttentionOutputNorm,
  kSecondNorm,
  kGate,
  kUp,
  kFusedGateUp,
  kDown,
  kMlpOutputNorm,
  kRouter,
  kExpertGate,
  kExpertUp,
  kExpertDown,
  kFusedExpertGateUp,
  kFusedExpertDown,
  kRouterScale,
  kExpertScale,
  kMlpBranchNorm,
  kExpertInputNorm,
  kExpertOutputNorm,
  kLayerInputGate,
  kLayerInputProjection,
  kLayerInputNorm,
  kLayerScale,
  kFinalNorm,
  kProjectOut,
  kHead,
};

// A tensor that the checkpoint must hold, by its full name with the family's prefix.
struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorRole role = TensorRole::kEmbedding;
  std::int64_t layer = 0;
  bool is_bias = false;
  std::int64_t part = 0;  // the expert, or the head of a norm per head
};

// Weights of norms and other factors, which training starts at one.
bool IsFactor(TensorRole role);

// Reads v4 and v5 spellings. Missing keys take the family's class default. `source` names the file
// in errors. Impossible sizes are kInvalidData and name the field; a model_type, activation, rotary
// scaling or quantisation outside the table is kUnsupported and says what is known or missing.
Result<ModelConfig> ParseModelConfig(const JsonValue& json, std::string_view source);
Result<ModelConfig> LoadModelConfig(const std::string& path);

// Every tensor that a checkpoint of this shape holds, in the order of the forward pass. The output
// matrix comes last, under its first accepted name, and is left out where the embeddings are tied;
// its bias is not.
std::vector<ExpectedTensor> ExpectedTensors(const ModelConfig& config);

// Weights in all expected tensors; tied embeddings count once.
std::int64_t ParameterCount(const ModelConfig& config);

// The name that the table uses for a tensor of the file: wrapper prefixes ("module.", "_orig_mod.",
// …) are stripped, "gamma" and "beta" become "weight" and "bias", the family's prefix is added
// where it is missing.
std::string CanonicalTensorName(const ModelConfig& config, std::string_view file_name);

// Keys and values that a layer would have if it did not read those of another.
bool IsUnusedKeyOrValue(const ModelConfig& config, std::string_view canonical_name);

// Saved buffers that carry no weights: causal masks, rotary frequencies, position ids.
bool IsKnownBuffer(std::string_view canonical_name);

// "llama", "gpt2", …
std::vector<std::string_view> KnownModelTypes();

}  // namespace couplingd
