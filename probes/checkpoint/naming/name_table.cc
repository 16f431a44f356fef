#include "probes/checkpoint/naming/name_table.h"

#include <algorithm>

namespace couplingd {
namespace {

constexpr NameRow kTorchtitan[] = {
    {"attention_norm.weight", "input_layernorm.weight"},
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"attention.wq.weight", "self_attn.q_proj.weight", Cut::kInterleavedQuery},
    {"attention.wk.weight", "self_attn.k_proj.weight", Cut::kInterleavedKey},
    {"attention.wv.weight", "self_attn.v_proj.weight"},
    {"attention.qkv_linear.wq.weight", "self_attn.q_proj.weight", Cut::kInterleavedQuery},
    {"attention.qkv_linear.wk.weight", "self_attn.k_proj.weight", Cut::kInterleavedKey},
    {"attention.qkv_linear.wv.weight", "self_attn.v_proj.weight"},
    {"attention.wo.weight", "self_attn.o_proj.weight"},
    {"attention.q_norm.weight", "self_attn.q_norm.weight"},
    {"attention.k_norm.weight", "self_attn.k_norm.weight"},
    {"feed_forward.w1.weight", "mlp.gate_proj.weight"},
    {"feed_forward.w2.weight", "mlp.down_proj.weight"},
    {"feed_forward.w3.weight", "mlp.up_proj.weight"},
    {"tok_embeddings.weight", "model.embed_tokens.weight", Cut::kVocabulary},
    {"norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight", Cut::kVocabulary},
    {"lm_head.weight", "lm_head.weight", Cut::kVocabulary},
};

constexpr NameRow kOlmoCore[] = {
    {"attention.w_q.weight", "self_attn.q_proj.weight"},
    {"attention.w_k.weight", "self_attn.k_proj.weight"},
    {"attention.w_v.weight", "self_attn.v_proj.weight"},
    {"attention.w_out.weight", "self_attn.o_proj.weight"},
    {"attention.q_norm.weight", "self_attn.q_norm.weight"},
    {"attention.k_norm.weight", "self_attn.k_norm.weight"},
    {"feed_forward.w1.weight", "mlp.gate_proj.weight"},
    {"feed_forward.w2.weight", "mlp.down_proj.weight"},
    {"feed_forward.w3.weight", "mlp.up_proj.weight"},
    {"embeddings.weight", "model.embed_tokens.weight", Cut::kVocabulary},
    {"lm_head.norm.weight", "model.norm.weight"},
    {"lm_head.w_out.weight", "lm_head.weight", Cut::kVocabulary},
};
constexpr NameRow kOlmoCoreNormsBefore[] = {
    {"attention_norm.weight", "input_layernorm.weight"},
    {"feed_forward_norm.weight", "post_attention_layernorm.weight"},
};
constexpr NameRow kOlmoCoreNormsAfter[] = {
    {"attention_norm.weight", "post_attention_layernorm.weight"},
    {"feed_forward_norm.weight", "post_feedforward_layernorm.weight"},
};

constexpr NameRow kMegatron[] = {
    {"input_layernorm.weight", "input_layernorm.weight"},
    {"self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight"},
    {"self_attention.linear_qkv.weight", "weight", Cut::kGroupedQueryKeyValue},
    {"self_attention.linear_qkv.bias", "bias", Cut::kGroupedQueryKeyValue},
    {"self_attention.linear_proj.weight", "self_attn.o_proj.weight"},
    {"self_attention.linear_proj.bias", "self_attn.o_proj.bias"},
    {"self_attention.q_layernorm.weight", "self_attn.q_norm.weight"},
    {"self_attention.k_layernorm.weight", "self_attn.k_norm.weight"},
    {"pre_mlp_layernorm.weight", "post_attention_layernorm.weight"},
    {"mlp.linear_fc1.layer_norm_weight", "post_attention_layernorm.weight"},
    {"mlp.linear_fc1.weight", "mlp.", Cut::kGateUp},
    {"mlp.linear_fc2.weight", "mlp.down_proj.weight"},
    {"embedding.word_embeddings.weight", "model.embed_tokens.weight", Cut::kVocabulary},
    {"decoder.final_layernorm.weight", "model.norm.weight"},
    {"output_layer.weight", "lm_head.weight", Cut::kVocabulary},
};

constexpr NameRow kLitgpt[] = {
    {"norm_1.weight", "input_layernorm.weight"},
    {"norm_2.weight", "post_attention_layernorm.weight"},
    {"attn.qkv.weight", "weight", Cut::kQueryKeyValue},
    {"attn.qkv.bias", "bias", Cut::kQueryKeyValue},
    {"attn.proj.weight", "self_attn.o_proj.weight"},
    {"attn.norm_q.weight", "self_attn.q_norm.weight"},
    {"attn.norm_k.weight", "self_attn.k_norm.weight"},
    {"mlp.fc_1.weight", "mlp.gate_proj.weight"},
    {"mlp.fc_2.weight", "mlp.up_proj.weight"},
    {"mlp.proj.weight", "mlp.down_proj.weight"},
    {"transformer.wte.weight", "model.embed_tokens.weight", Cut::kVocabulary},
    {"transformer.ln_f.weight", "model.norm.weight"},
    {"lm_head.weight", "lm_head.weight", Cut::kVocabulary},
};

constexpr NameRow kTorchtitanExperts[] = {
    {"moe.router.gate.weight", "mlp.gate.weight"},
    {"moe.routed_experts.inner_experts.w1_EFD", "mlp.experts.{}.gate_proj.weight", Cut::kExperts},
    {"moe.routed_experts.inner_experts.w2_EDF", "mlp.experts.{}.down_proj.weight", Cut::kExperts},
    {"moe.routed_experts.inner_experts.w3_EFD", "mlp.experts.{}.up_proj.weight", Cut::kExperts},
};

// As rank files hold them, one by one, and as torch_dist does, all of a layer in one tensor.
constexpr NameRow kMegatronExperts[] = {
    {"mlp.router.weight", "mlp.gate.weight"},
    {"mlp.experts.local_experts.{}.linear_fc1.weight", "mlp.experts.{}.", Cut::kGateUp},
    {"mlp.experts.local_experts.{}.linear_fc2.weight", "mlp.experts.{}.down_proj.weight"},
    {"mlp.experts.experts.linear_fc1.weight", "mlp.experts.{}.", Cut::kExpertGateUp},
    {"mlp.experts.experts.linear_fc2.weight", "mlp.experts.{}.down_proj.weight", Cut::kExperts},
};

// With as many keys as queries Megatron's groups are GPT-NeoX's heads.
constexpr NameRow kMegatronNeoX[] = {
    {"input_layernorm.weight", "input_layernorm.weight"},
    {"input_layernorm.bias", "input_layernorm.bias"},
    {"self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight"},
    {"self_attention.linear_qkv.layer_norm_bias", "input_layernorm.bias"},
    {"self_attention.linear_qkv.weight", "attention.query_key_value.weight"},
    {"self_attention.linear_qkv.bias", "attention.query_key_value.bias"},
    {"self_attention.linear_proj.weight", "attention.dense.weight"},
    {"self_attention.linear_proj.bias", "attention.dense.bias"},
    {"pre_mlp_layernorm.weight", "post_attention_layernorm.weight"},
    {"pre_mlp_layernorm.bias", "post_attention_layernorm.bias"},
    {"mlp.linear_fc1.layer_norm_weight", "post_attention_layernorm.weight"},
    {"mlp.linear_fc1.layer_norm_bias", "post_attention_layernorm.bias"},
    {"mlp.linear_fc1.weight", "mlp.dense_h_to_4h.weight"},
    {"mlp.linear_fc1.bias", "mlp.dense_h_to_4h.bias"},
    {"mlp.linear_fc2.weight", "mlp.dense_4h_to_h.weight"},
    {"mlp.linear_fc2.bias", "mlp.dense_4h_to_h.bias"},
    {"embedding.word_embeddings.weight", "gpt_neox.embed_in.weight", Cut::kVocabulary},
    {"decoder.final_layernorm.weight", "gpt_neox.final_layer_norm.weight"},
    {"decoder.final_layernorm.bias", "gpt_neox.final_layer_norm.bias"},
    {"output_layer.weight", "embed_out.weight", Cut::kVocabulary},
};

// Hugging Face keeps the projections of GPT-2 transposed.
constexpr NameRow kMegatronGpt2[] = {
    {"input_layernorm.weight", "ln_1.weight"},
    {"input_layernorm.bias", "ln_1.bias"},
    {"self_attention.linear_qkv.layer_norm_weight", "ln_1.weight"},
    {"self_attention.linear_qkv.layer_norm_bias", "ln_1.bias"},
    {"self_attention.linear_qkv.weight", "attn.c_attn.weight", Cut::kGroupedColumns},
    {"self_attention.linear_qkv.bias", "attn.c_attn.bias", Cut::kGroupedBlocks},
    {"self_attention.linear_proj.weight", "attn.c_proj.weight", Cut::kTransposed},
    {"self_attention.linear_proj.bias", "attn.c_proj.bias"},
    {"pre_mlp_layernorm.weight", "ln_2.weight"},
    {"pre_mlp_layernorm.bias", "ln_2.bias"},
    {"mlp.linear_fc1.layer_norm_weight", "ln_2.weight"},
    {"mlp.linear_fc1.layer_norm_bias", "ln_2.bias"},
    {"mlp.linear_fc1.weight", "mlp.c_fc.weight", Cut::kTransposed},
    {"mlp.linear_fc1.bias", "mlp.c_fc.bias"},
    {"mlp.linear_fc2.weight", "mlp.c_proj.weight", Cut::kTransposed},
    {"mlp.linear_fc2.bias", "mlp.c_proj.bias"},
    {"embedding.word_embeddings.weight", "transformer.wte.weight", Cut::kVocabulary},
    {"embedding.position_embeddings.weight", "transformer.wpe.weight"},
    {"decoder.final_layernorm.weight", "transformer.ln_f.weight"},
    {"decoder.final_layernorm.bias", "transformer.ln_f.bias"},
    {"output_layer.weight", "lm_head.weight", Cut::kVocabulary},
};

constexpr NameRow kLitgptNeoX[] = {
    {"norm_1.weight", "input_layernorm.weight"},
    {"norm_1.bias", "input_layernorm.bias"},
    {"norm_2.weight", "post_attention_layernorm.weight"},
    {"norm_2.bias", "post_attention_layernorm.bias"},
    {"attn.qkv.weight", "attention.query_key_value.weight", Cut::kHeadwise},
    {"attn.qkv.bias", "attention.query_key_value.bias", Cut::kHeadwise},
    {"attn.proj.weight", "attention.dense.weight"},
    {"attn.proj.bias", "attention.dense.bias"},
    {"mlp.fc.weight", "mlp.dense_h_to_4h.weight"},
    {"mlp.fc.bias", "mlp.dense_h_to_4h.bias"},
    {"mlp.proj.weight", "mlp.dense_4h_to_h.weight"},
    {"mlp.proj.bias", "mlp.dense_4h_to_h.bias"},
    {"transformer.wte.weight", "gpt_neox.embed_in.weight", Cut::kVocabulary},
    {"transformer.ln_f.weight", "gpt_neox.final_layer_norm.weight"},
    {"transformer.ln_f.bias", "gpt_neox.final_layer_norm.bias"},
    {"lm_head.weight", "embed_out.weight", Cut::kVocabulary},
};

constexpr NameRow kNanotron[] = {
    {"pp_block.input_layernorm.weight", "input_layernorm.weight"},
    {"pp_block.post_attention_layernorm.weight", "post_attention_layernorm.weight"},
    {"pp_block.attn.qkv_proj.weight", "weight", Cut::kQueryKeyValue},
    {"pp_block.attn.qkv_proj.bias", "bias", Cut::kQueryKeyValue},
    {"pp_block.attn.o_proj.weight", "self_attn.o_proj.weight"},
    {"pp_block.mlp.gate_up_proj.weight", "mlp.", Cut::kGateUp},
    {"pp_block.mlp.down_proj.weight", "mlp.down_proj.weight"},
    {"model.token_position_embeddings.pp_block.token_embedding.weight", "model.embed_tokens.weight",
     Cut::kVocabulary},
    {"model.final_layer_norm.pp_block.weight", "model.norm.weight"},
    {"model.lm_head.pp_block.weight", "lm_head.weight", Cut::kVocabulary},
};

struct Mapping {
  Naming naming;
  std::string_view model_type;
  std::span<const NameRow> rows, more = {};
  std::string_view layers_to = "model.layers.";
};

constexpr Mapping kMappings[] = {
    {Naming::kTorchtitan, "llama", kTorchtitan},
    {Naming::kTorchtitan, "mistral", kTorchtitan},
    {Naming::kTorchtitan, "qwen2", kTorchtitan},
    {Naming::kTorchtitan, "qwen3", kTorchtitan},
    {Naming::kTorchtitan, "qwen3_moe", kTorchtitan, kTorchtitanExperts},
    {Naming::kOlmoCore, "llama", kOlmoCore, kOlmoCoreNormsBefore},
    {Naming::kOlmoCore, "mistral", kOlmoCore, kOlmoCoreNormsBefore},
    {Naming::kOlmoCore, "qwen2", kOlmoCore, kOlmoCoreNormsBefore},
    {Naming::kOlmoCore, "qwen3", kOlmoCore, kOlmoCoreNormsBefore},
    {Naming::kOlmoCore, "olmo2", kOlmoCore, kOlmoCoreNormsAfter},
    {Naming::kOlmoCore, "olmo3", kOlmoCore, kOlmoCoreNormsAfter},
    {Naming::kMegatron, "llama", kMegatron},
    {Naming::kMegatron, "mistral", kMegatron},
    {Naming::kMegatron, "qwen2", kMegatron},
    {Naming::kMegatron, "qwen3", kMegatron},
    {Naming::kMegatron, "qwen3_moe", kMegatron, kMegatronExperts},
    {Naming::kMegatron, "gpt_neox", kMegatronNeoX, {}, "gpt_neox.layers."},
    {Naming::kMegatron, "gpt2", kMegatronGpt2, {}, "transformer.h."},
    {Naming::kLitgpt, "llama", kLitgpt},
    {Naming::kLitgpt, "mistral", kLitgpt},
    {Naming::kLitgpt, "qwen2", kLitgpt},
    {Naming::kLitgpt, "qwen3", kLitgpt},
    {Naming::kLitgpt, "gpt_neox", kLitgptNeoX, {}, "gpt_neox.layers."},
    {Naming::kNanotron, "llama", kNanotron},
    {Naming::kNanotron, "mistral", kNanotron},
    {Naming::kNanotron, "qwen2", kNanotron},
    {Naming::kNanotronHalves, "llama", kNanotron},
    {Naming::kNanotronHalves, "mistral", kNanotron},
    {Naming::kNanotronHalves, "qwen2", kNanotron},
};

std::string_view LayersOf(Naming naming) {
  switch (naming) {
    case Naming::kOlmoCore:
      return "blocks.";
    case Naming::kMegatron:
      return "decoder.layers.";
    case Naming::kLitgpt:
      return "transformer.h.";
    case Naming::kNanotron:
    case Naming::kNanotronHalves:
      return "model.decoder.";
    default:
      return "layers.";
  }
}

}  // namespace

const NameRow* NameTable::Find(std::string_view from) const {
  for (const std::span<const NameRow> part : rows) {
    const auto row = std::ranges::find(part, from, &NameRow::from);
    if (row != part.end()) return &*row;
  }
  return nullptr;
}

NameTable NameTableOf(Naming naming, std::string_view model_type) {
  NameTable table;
  for (const Mapping& mapping : kMappings) {
    if (mapping.naming != naming || mapping.model_type != model_type) continue;
    table.layers_from = LayersOf(naming);
    table.layers_to = mapping.layers_to;
    table.rows = {mapping.rows, mapping.more};
  }
  return table;
}

std::vector<std::string_view> MappedFamilies(Naming naming) {
  std::vector<std::string_view> families;
  for (const Mapping& mapping : kMappings) {
    if (mapping.naming == naming) families.push_back(mapping.model_type);
  }
  return families;
}

}  // namespace couplingd
