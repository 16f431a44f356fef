// The table of model families. A new family is a new row, with a switch in ModelConfig where it
// brings a new idea.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "probes/model/config.h"
#include "probes/model/config_reader.h"

namespace couplingd {

struct Family {
  std::string_view model_type;
  std::string_view architecture;  // config.json's architectures[0] where model_type is missing
  SizeKey vocab_size = {{"vocab_size"}, 0};
  SizeKey hidden_size = {{"hidden_size"}, 0};
  SizeKey layers = {{"num_hidden_layers"}, 0};
  SizeKey heads = {{"num_attention_heads"}, 0};
  SizeKey kv_heads = {};           // 0: as many as heads
  SizeKey head_dim = {};           // 0: hidden_size / heads
  SizeKey intermediate_size = {};  // 0: 4 · hidden_size
  SizeKey max_positions = {{"max_position_embeddings"}, 2048};
  NormKind norm = NormKind::kLayerNorm;
  bool norm_weight = true;
  bool norm_bias = true;
  std::string_view norm_epsilon_key;  // empty: fixed
  double norm_epsilon = 1e-5;
  FlagKey parallel_residual = {};
  QkvLayout qkv_layout = QkvLayout::kSeparate;
  QkNorm qk_norm = QkNorm::kNone;
  bool transposed_projections = false;
  FlagKey qkv_bias = {};
  FlagKey attention_output_bias = {};
  FlagKey mlp_bias = {};
  bool head_bias = false;
  bool gated_mlp = false;
  std::vector<std::string_view> activation_keys = {"hidden_act"};  // the first that is there
  std::string_view activation = "silu";
  FlagKey scale_attention = {"", true};  // scores · head_dim^-0.5
  FlagKey scale_attention_by_layer = {};
  Rotary rotary = Rotary::kNone;
  double rope_theta = 10000;
  double sliding_rope_theta = 0;       // 0: sliding layers rotate as the others do
  std::string_view sliding_theta_key;  // its key in files of transformers 4
  double partial_rotary_factor = 1;
  std::int64_t original_max_positions = 0;  // default of that key; 0: max_positions
  bool yarn_is_longrope = false;
  bool tie_embeddings = false;
  std::vector<std::string_view> refused_flags = {};  // true there means another architecture
  TensorNames names = {};
  // What keys of this family alone change; called last.
  Status (*adjust)(const ConfigReader& reader, ModelConfig& config) = nullptr;
};

std::span<const Family> Families();

// Architectures that are known and not computed, and what is missing for them.
struct RefusedFamily {
  std::string_view model_type;
  std::string_view why;  // ends the sentence "… is not computed: "
};
std::span<const RefusedFamily> RefusedFamilies();

// "sliding_window" holds for every layer; `fallback` where the file lacks it, 0: no window.
Status SetWindowOfAllLayers(const ConfigReader& reader, std::int64_t fallback, ModelConfig& config);

// Rows of the table, by the file they stand in.
Family Gpt2();  // families/gpt.cc
Family GptNeo();
Family GptJ();
Family GptNeoX();
Family Opt();
Family Bloom();  // families/alibi.cc
Family Falcon();
Family Mpt();
Family Llama();  // families/llama.cc
Family Mistral();
Family Mixtral();
Family Qwen2();
Family Qwen3();
Family Qwen3Moe();
Family Olmo();  // families/olmo.cc
Family Olmo2();
Family Olmo3();
Family Phi();  // families/phi.cc
Family Phi3();
Family StableLm();
Family Starcoder2();
Family Gemma();  // families/gemma.cc
Family Gemma2();
Family Gemma3();
Family Gemma4();  // families/gemma4.cc

}  // namespace couplingd
