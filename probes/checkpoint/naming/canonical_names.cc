#include "probes/checkpoint/naming/canonical_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>

#include "probes/checkpoint/naming/view_builder.h"

namespace couplingd {
namespace {

enum class Cut {
  kAsItIs,
  kVocabulary,        // rows beyond the vocabulary are padding
  kInterleavedQuery,  // rows of a head ordered for interleaved rotary positions
  kInterleavedKey,
  kQueryKeyValue,         // rows: all queries, all keys, all values
  kGroupedQueryKeyValue,  // rows: per group its queries, its key, its value
  kGateUp,                // rows: gate, up
};

// `from` and `to` follow the name of the layer; outside layers they are whole names.
struct Row {
  std::string_view from, to;
  Cut cut = Cut::kAsItIs;
};

constexpr Row kTorchtitan[] = {
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

constexpr Row kOlmoCore[] = {
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
constexpr Row kOlmoCoreNormsBefore[] = {
    {"attention_norm.weight", "input_layernorm.weight"},
    {"feed_forward_norm.weight", "post_attention_layernorm.weight"},
};
constexpr Row kOlmoCoreNormsAfter[] = {
    {"attention_norm.weight", "post_attention_layernorm.weight"},
    {"feed_forward_norm.weight", "post_feedforward_layernorm.weight"},
};

constexpr Row kMegatron[] = {
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
    {"mlp.linear_fc1.weight", "weight", Cut::kGateUp},
    {"mlp.linear_fc2.weight", "mlp.down_proj.weight"},
    {"embedding.word_embeddings.weight", "model.embed_tokens.weight", Cut::kVocabulary},
    {"decoder.final_layernorm.weight", "model.norm.weight"},
    {"output_layer.weight", "lm_head.weight", Cut::kVocabulary},
};

constexpr Row kLitgpt[] = {
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

constexpr Row kNanotron[] = {
    {"pp_block.input_layernorm.weight", "input_layernorm.weight"},
    {"pp_block.post_attention_layernorm.weight", "post_attention_layernorm.weight"},
    {"pp_block.attn.qkv_proj.weight", "weight", Cut::kQueryKeyValue},
    {"pp_block.attn.qkv_proj.bias", "bias", Cut::kQueryKeyValue},
    {"pp_block.attn.o_proj.weight", "self_attn.o_proj.weight"},
    {"pp_block.mlp.gate_up_proj.weight", "weight", Cut::kGateUp},
    {"pp_block.mlp.down_proj.weight", "mlp.down_proj.weight"},
    {"model.token_position_embeddings.pp_block.token_embedding.weight", "model.embed_tokens.weight",
     Cut::kVocabulary},
    {"model.final_layer_norm.pp_block.weight", "model.norm.weight"},
    {"model.lm_head.pp_block.weight", "lm_head.weight", Cut::kVocabulary},
};

constexpr std::string_view kFamilies[] = {"llama", "mistral", "qwen2", "qwen3", "olmo2", "olmo3"};

// "decoder.layers.3.mlp.weight" with "decoder.layers.": layer 3, "mlp.weight".
struct LayerName {
  std::int64_t layer = 0;
  std::string_view rest;
};

std::optional<LayerName> ParseLayer(std::string_view name, std::string_view beginning) {
  if (!name.starts_with(beginning)) return std::nullopt;
  name.remove_prefix(beginning.size());
  LayerName parsed;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), parsed.layer);
  const auto digits = static_cast<std::size_t>(end - name.data());
  if (error != std::errc() || digits == name.size() || name[digits] != '.') return std::nullopt;
  parsed.rest = name.substr(digits + 1);
  return parsed;
}

class Renamer {
 public:
  Renamer(const TensorSource& source, Naming naming, const ModelDimensions& model)
      : source_(source), naming_(naming), model_(model), builder_(source) {}

  Result<std::vector<AssembledTensor>> Rename() {
    for (std::size_t i = 0; i < source_.tensors().size(); ++i) {
      TRY(RenameOne(source_.tensors()[i].name, builder_.Whole(i)));
    }
    return builder_.Take();
  }

 private:
  std::string_view LayersName() const {
    switch (naming_) {
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

  const Row* Find(std::string_view name) const {
    const auto in = [&](std::span<const Row> rows) -> const Row* {
      const auto row = std::ranges::find(rows, name, &Row::from);
      return row == rows.end() ? nullptr : &*row;
    };
    const bool norms_after = model_.model_type == "olmo2" || model_.model_type == "olmo3";
    switch (naming_) {
      case Naming::kTorchtitan:
        return in(kTorchtitan);
      case Naming::kMegatron:
        return in(kMegatron);
      case Naming::kLitgpt:
        return in(kLitgpt);
      case Naming::kNanotron:
      case Naming::kNanotronHalves:
        return in(kNanotron);
      default:
        break;
    }
    if (const Row* row = in(kOlmoCore)) return row;
    return norms_after ? in(kOlmoCoreNormsAfter) : in(kOlmoCoreNormsBefore);
  }

  Status RenameOne(std::string_view name, const TensorView& view) {
    if (name.ends_with("rope.cache") || name.ends_with("freqs_cis")) return {};  // buffers
    if (const auto layer = ParseLayer(name, LayersName())) {
      if (const Row* row = Find(layer->rest)) return Write(*row, layer->layer, view);
    } else if (naming_ == Naming::kMegatron && name.starts_with(LayersName())) {
      // Megatron's torch_dist keeps all layers in one tensor.
      const Row* row = Find(name.substr(LayersName().size()));
      if (row && !view.shape.empty()) {
        for (std::int64_t i = 0; i < view.shape[0]; ++i) {
          TRY(Write(*row, i, TRY(builder_.At(view, i))));
        }
        return {};
      }
    } else if (const Row* row = Find(name)) {
      return Write(*row, std::nullopt, view);
    }
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: the tensor \"{}\", in {}'s names, has no place in the family {}",
                            source_.tensors()[view.tensor].file, name, ToString(naming_),
                            model_.model_type),
                "check model_type in the model_config");
  }

  Status Write(const Row& row, std::optional<std::int64_t> layer, const TensorView& view) {
    const auto named = [&](std::string_view name) {
      return layer ? fmt::format("model.layers.{}.{}", *layer, name) : std::string(name);
    };
    switch (row.cut) {
      case Cut::kAsItIs:
        builder_.Add(named(row.to), view);
        return {};
      case Cut::kVocabulary: {
        const std::int64_t rows = view.shape.empty() ? 0 : view.shape[0];
        builder_.Add(named(row.to), TRY(builder_.Rows(view, 0, std::min(rows, model_.vocab_size))));
        return {};
      }
      case Cut::kInterleavedQuery:
        return WriteRotary(named(row.to), view, model_.heads);
      case Cut::kInterleavedKey:
        return WriteRotary(named(row.to), view, model_.kv_heads);
      case Cut::kQueryKeyValue:
        return WriteQueryKeyValue(named("self_attn"), row.to, view);
      case Cut::kGroupedQueryKeyValue:
        return WriteGrouped(named("self_attn"), row.to, view);
      case Cut::kGateUp:
        break;
    }
    const std::int64_t wide = model_.intermediate_size;
    builder_.Add(fmt::format("{}.gate_proj.{}", named("mlp"), row.to),
                 TRY(builder_.Rows(view, 0, wide)));
    builder_.Add(fmt::format("{}.up_proj.{}", named("mlp"), row.to),
                 TRY(builder_.Rows(view, wide, wide)));
    return {};
  }

  // torchtitan's Llama turns neighbouring elements, Hugging Face's the two halves of a head.
  Status WriteRotary(std::string name, const TensorView& view, std::int64_t heads) {
    if (naming_ != Naming::kNanotron && model_.model_type != "llama" &&
        model_.model_type != "mistral") {
      builder_.Add(std::move(name), view);
      return {};
    }
    const TensorView pairs = TRY(builder_.Split(view, {heads, model_.head_dim / 2, 2}));
    builder_.Add(std::move(name), ViewBuilder::Swap(pairs, 1, 2), 3);
    return {};
  }

  Status WriteQueryKeyValue(const std::string& stem, std::string_view kind,
                            const TensorView& view) {
    const std::int64_t queries = model_.heads * model_.head_dim;
    const std::int64_t keys = model_.kv_heads * model_.head_dim;
    const TensorView of_queries = TRY(builder_.Rows(view, 0, queries));
    const TensorView of_keys = TRY(builder_.Rows(view, queries, keys));
    if (naming_ == Naming::kNanotron) {
      TRY(WriteRotary(fmt::format("{}.q_proj.{}", stem, kind), of_queries, model_.heads));
      TRY(WriteRotary(fmt::format("{}.k_proj.{}", stem, kind), of_keys, model_.kv_heads));
    } else {
      builder_.Add(fmt::format("{}.q_proj.{}", stem, kind), of_queries);
      builder_.Add(fmt::format("{}.k_proj.{}", stem, kind), of_keys);
    }
    builder_.Add(fmt::format("{}.v_proj.{}", stem, kind),
                 TRY(builder_.Rows(view, queries + keys, keys)));
    return {};
  }

  Status WriteGrouped(const std::string& stem, std::string_view kind, const TensorView& view) {
    const std::int64_t shared = model_.heads / model_.kv_heads;
    const TensorView groups =
        TRY(builder_.Split(view, {model_.kv_heads, shared + 2, model_.head_dim}));
    const auto part = [&](std::int64_t first, std::int64_t count) -> Result<TensorView> {
      const TensorView cut = TRY(builder_.Rows(ViewBuilder::Swap(groups, 0, 1), first, count));
      return ViewBuilder::Swap(cut, 0, 1);
    };
    builder_.Add(fmt::format("{}.q_proj.{}", stem, kind), TRY(part(0, shared)), 3);
    builder_.Add(fmt::format("{}.k_proj.{}", stem, kind), TRY(part(shared, 1)), 3);
    builder_.Add(fmt::format("{}.v_proj.{}", stem, kind), TRY(part(shared + 1, 1)), 3);
    return {};
  }

  const TensorSource& source_;
  Naming naming_;
  const ModelDimensions& model_;
  ViewBuilder builder_;
};

}  // namespace

Result<CheckpointWeights> WithCanonicalNames(CheckpointWeights weights,
                                             const ModelDimensions& model) {
  if (weights.naming == Naming::kHuggingFace) return weights;
  if (std::ranges::find(kFamilies, model.model_type) == std::end(kFamilies)) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("the names of {} are not mapped to the family {}",
                            ToString(weights.naming), model.model_type),
                fmt::format("mapped are {}; or convert the checkpoint to safetensors",
                            fmt::join(kFamilies, ", ")));
  }
  std::vector<AssembledTensor> tensors =
      TRY(Renamer(*weights.source, weights.naming, model).Rename());
  weights.source = TRY(Assemble(SpansOfTensors(std::move(weights.source)), std::move(tensors)));
  weights.naming = Naming::kHuggingFace;
  return weights;
}

}  // namespace couplingd
