// The table of model families. A new family is a new row, with a switch in ModelConfig where it
// brings a new idea.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "probes/model/config.h"

namespace couplingd {

// Aliases of one config key, in order of preference, and the family's default where the file has
// none of them. `fallback` 0 means that the rule beside the field decides.
struct SizeKey {
  std::vector<std::string_view> names;
  std::int64_t fallback = 0;
};

struct FlagKey {
  std::string_view name;  // empty: not configurable
  bool fallback = false;
};

struct Family {
  std::string_view model_type;
  std::string_view architecture;  // config.json's architectures[0] where model_type is missing
  SizeKey vocab_size, hidden_size, layers, heads;
  SizeKey kv_heads;           // 0: as many as heads
  SizeKey head_dim;           // 0: hidden_size / heads
  SizeKey intermediate_size;  // 0: 4 · hidden_size
  SizeKey max_positions;
  NormKind norm;
  std::string_view norm_epsilon_key;
  double norm_epsilon;
  FlagKey parallel_residual;
  QkvLayout qkv_layout;
  bool transposed_projections;
  FlagKey attention_bias;  // of all four projections
  FlagKey mlp_bias;
  bool gated_mlp;
  std::string_view activation_key;
  std::string_view activation;
  FlagKey scale_attention;
  FlagKey scale_attention_by_layer;
  Rotary rotary;
  double partial_rotary_factor;
  bool tie_embeddings;
  std::vector<std::string_view> refused_flags;  // true there means another architecture
  TensorNames names;
};

std::span<const Family> Families();

}  // namespace couplingd
