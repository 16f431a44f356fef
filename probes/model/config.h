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
  kLayerNorm,  // (x − mean) / sqrt(biased variance + eps) · weight + bias
  kRmsNorm,    // x / sqrt(mean(x²) + eps) in fp32, cast to the input's dtype, then · weight
};

enum class Residual {
  kSequential,  // h = x + attention(norm₁ x); h + mlp(norm₂ h)
  kParallel,    // x + attention(norm₁ x) + mlp(norm₂ x)
};

// How the file stores the query, key and value projections.
enum class QkvLayout {
  kSeparate,      // three tensors
  kFusedBlocks,   // one tensor: all queries, all keys, all values
  kFusedPerHead,  // one tensor, rows [heads, 3, head_dim]
};

enum class Activation { kGelu, kGeluTanh, kQuickGelu, kSilu, kRelu, kReluSquared };

// kHalf: element i of the rotated part pairs with element i + rotary_dim / 2.
enum class Rotary { kNone, kHalf };

enum class RopeScalingKind { kNone, kLinear, kLlama3 };

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1;
  double low_frequency_factor = 1;  // llama3 only, like the two below
  double high_frequency_factor = 4;
  double original_max_positions = 0;
};

// Stems of the family's tensor names: ".weight" and ".bias" follow. "{}" stands for the layer's
// number. An empty stem is a tensor that the family does not have.
struct TensorNames {
  std::string_view prefix;  // of everything but the head; may be missing in the file
  std::string_view embedding;
  std::string_view positions;  // learned absolute positions
  std::string_view first_norm;
  std::string_view query, key, value;  // QkvLayout::kSeparate
  std::string_view fused_qkv;          // the other layouts
  std::string_view attention_output;
  std::string_view second_norm;
  std::string_view gate;  // gated MLPs only
  std::string_view up;
  std::string_view down;
  std::string_view final_norm;
  std::vector<std::string_view> heads;  // accepted names of the output matrix, without the prefix
};

struct ModelConfig {
  std::string model_type;
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t max_positions = 0;  // also the longest input that is scored

  NormKind norm = NormKind::kLayerNorm;
  double norm_epsilon = 1e-5;
  Residual residual = Residual::kSequential;
  QkvLayout qkv_layout = QkvLayout::kSeparate;
  bool transposed_projections = false;  // weights lie as [in, out]
  bool qkv_bias = false;
  bool attention_output_bias = false;
  bool mlp_bias = false;
  bool gated_mlp = false;
  Activation activation = Activation::kGelu;
  bool scale_attention = true;            // scores · head_dim^-0.5
  bool scale_attention_by_layer = false;  // scores / (layer + 1)
  Rotary rotary = Rotary::kNone;
  std::int64_t rotary_dim = 0;  // the first so many elements of a head rotate
  double rope_theta = 10000;
  RopeScaling rope_scaling;
  bool tie_embeddings = false;

  std::optional<std::int64_t> bos_token_id;
  std::optional<std::int64_t> eos_token_id;  // the first where the file lists several
  std::string dtype;                         // as the file names it; empty where it does not
  TensorNames names;
};

enum class TensorRole {
  kEmbedding,
  kPositions,
  kFirstNorm,
  kQuery,
  kKey,
  kValue,
  kFusedQkv,
  kAttentionOutput,
  kSecondNorm,
  kGate,
  kUp,
  kDown,
  kFinalNorm,
  kHead,
};

// A tensor that the checkpoint must hold, by its full name with the family's prefix.
struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorRole role = TensorRole::kEmbedding;
  std::int64_t layer = 0;
  bool is_bias = false;
};

// Reads v4 and v5 spellings. Missing keys take the family's class default. `source` names the file
// in errors. Impossible sizes are kInvalidData and name the field; a model_type, activation, rotary
// scaling or quantisation outside the table is kUnsupported and says what is known.
Result<ModelConfig> ParseModelConfig(const JsonValue& json, std::string_view source);
Result<ModelConfig> LoadModelConfig(const std::string& path);

// Every tensor that a checkpoint of this shape holds, in the order of the forward pass. The output
// matrix comes last, under its first accepted name, and is left out where the embeddings are tied.
std::vector<ExpectedTensor> ExpectedTensors(const ModelConfig& config);

// Weights in all expected tensors; tied embeddings count once.
std::int64_t ParameterCount(const ModelConfig& config);

// The name that the table uses for a tensor of the file: wrapper prefixes ("module.", "_orig_mod.",
// …) are stripped, "gamma" and "beta" become "weight" and "bias", the family's prefix is added
// where it is missing.
std::string CanonicalTensorName(const ModelConfig& config, std::string_view file_name);

// Saved buffers that carry no weights: causal masks, rotary frequencies, position ids.
bool IsKnownBuffer(std::string_view canonical_name);

// "llama", "gpt2", …
std::vector<std::string_view> KnownModelTypes();

}  // namespace couplingd
