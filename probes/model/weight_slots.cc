#include "probes/model/weight_slots.h"

namespace couplingd {
namespace {

enum class Arrangement { kAsStored, kTransposed, kQkvPerGroup };

struct Slot {
  at::Tensor into;  // a view into the weights
  Arrangement arrangement = Arrangement::kAsStored;
};

class Allocator {
 public:
  Allocator(const ModelConfig& config, const TensorFactory& factory)
      : config_(config), names_(config.names), factory_(factory) {}

  Weights All(bool tied) const {
    const std::int64_t hidden = config_.hidden_size, embedding = config_.embedding_size;
    Weights weights;
    weights.embedding = factory_.Empty({config_.vocab_size, embedding});
    if (!names_.project_in.empty()) weights.project_in = Project(hidden, embedding, false);
    if (!names_.positions.empty()) {
      weights.positions = factory_.Empty({config_.max_positions + config_.position_offset, hidden});
    }
    weights.embedding_norm = HiddenNorm(names_.embedding_norm);
    if (const LayerInputs& inputs = config_.layer_inputs; inputs.size > 0) {
      const std::int64_t all = config_.layers * inputs.size;
      weights.layer_embedding = factory_.Empty({inputs.vocab_size, all});
      weights.layer_projection = Project(all, hidden, false);
      weights.layer_projection_norm = {true, factory_.Empty({inputs.size}), {}};
    }
    weights.layers.resize(config_.layer.size());
    weights.final_norm = HiddenNorm(names_.final_norm);
    if (!names_.project_out.empty()) weights.project_out = Project(embedding, hidden, false);
    weights.head.weight =
        tied ? weights.embedding : factory_.Empty({config_.vocab_size, embedding});
    if (config_.head_bias) weights.head.bias = factory_.Empty({config_.vocab_size});
    return weights;
  }

  LayerWeights Layer(const LayerConfig& of) const {
    const std::int64_t hidden = config_.hidden_size;
    const std::int64_t queries = config_.heads * of.head_dim;
    LayerWeights layer;
    layer.first_norm = HiddenNorm(names_.first_norm);
    layer.qkv = Project(queries + of.KeyRows() + of.ValueRows(), hidden, config_.qkv_bias);
    layer.query_norm = NormOfHeads(config_.heads, of.head_dim);
    if (of.KeyRows() > 0) layer.key_norm = NormOfHeads(of.kv_heads, of.head_dim);
    layer.output = Project(hidden, queries, config_.attention_output_bias);
    layer.attention_output_norm = HiddenNorm(names_.attention_output_norm);
    layer.second_norm = HiddenNorm(names_.second_norm);
    layer.mlp_output_norm = HiddenNorm(names_.mlp_output_norm);
    if (const std::int64_t size = config_.layer_inputs.size; size > 0) {
      layer.layer_input_gate = Project(size, hidden, false);
      layer.layer_input_projection = Project(hidden, size, false);
      layer.layer_input_norm = HiddenNorm(names_.layer_input_norm);
    }
    if (!names_.layer_scale.empty()) layer.scale = factory_.Empty({1});
    if (of.has_experts) layer.experts = ExpertsOfLayer();
    if (of.has_experts && !config_.experts.beside_mlp) return layer;
    const std::int64_t wide = of.intermediate_size;
    layer.up = Project(wide * (config_.gated_mlp ? 2 : 1), hidden, config_.mlp_bias);
    layer.down = Project(hidden, wide, config_.mlp_bias);
    return layer;
  }

 private:
  Projection Project(std::int64_t out, std::int64_t in, bool bias) const {
    Projection projection{factory_.Empty({out, in}), {}, {}};
    if (bias) projection.bias = factory_.Empty({out});
    return projection;
  }

  Norm HiddenNorm(std::string_view name) const {
    Norm norm{.exists = !name.empty(), .weight = {}, .bias = {}};
    if (!norm.exists) return norm;
    const bool has_bias = config_.norm == NormKind::kLayerNorm && config_.norm_bias;
    if (config_.norm_weight) norm.weight = factory_.Empty({config_.hidden_size});
    if (has_bias) norm.bias = factory_.Empty({config_.hidden_size});
    return norm;
  }

  Norm NormOfHeads(std::int64_t heads, std::int64_t head_dim) const {
    std::vector<std::int64_t> shape = {head_dim};
    if (config_.qk_norm == QkNorm::kPerHead) shape = {heads, head_dim};
    if (config_.qk_norm == QkNorm::kWhole) shape = {heads * head_dim};
    Norm norm{.exists = config_.qk_norm != QkNorm::kNone, .weight = {}, .bias = {}};
    if (!norm.exists) return norm;
    norm.weight = factory_.Empty(shape);
    if (config_.qk_norm_bias) norm.bias = factory_.Empty(shape);
    return norm;
  }

  ExpertWeights ExpertsOfLayer() const {
    const Experts& experts = config_.experts;
    const std::int64_t hidden = config_.hidden_size, wide = experts.intermediate_size;
    ExpertWeights weights;
    weights.router = Project(experts.count, hidden, false);
    weights.up = factory_.Empty({experts.count, 2 * wide, hidden});
    weights.down = factory_.Empty({experts.count, hidden, wide});
    if (!experts.beside_mlp) return weights;
    weights.router_scale = factory_.Empty({hidden});
    weights.expert_scale = factory_.Empty({experts.count});
    weights.mlp_norm = HiddenNorm(names_.mlp_branch_norm);
    weights.input_norm = HiddenNorm(names_.expert_input_norm);
    weights.output_norm = HiddenNorm(names_.expert_output_norm);
    return weights;
  }

  const ModelConfig& config_;
  const TensorNames& names_;
  const TensorFactory& factory_;
};

Slot NormSlot(const ExpectedTensor& expected, const Norm& norm) {
  const at::Tensor& whole = expected.is_bias ? norm.bias : norm.weight;
  return {whole.dim() == 2 ? whole.select(0, expected.part) : whole};
}

// Rows [first, first + count) of a projection.
Slot RowSlot(const ExpectedTensor& expected, const Projection& of, std::int64_t first,
             std::int64_t count, Arrangement arrangement) {
  if (expected.is_bias && arrangement == Arrangement::kTransposed) {
    arrangement = Arrangement::kAsStored;
  }
  const at::Tensor& whole = expected.is_bias ? of.bias : of.weight;
  return {whole.narrow(0, first, count), arrangement};
}

Slot ExpertSlot(const ModelConfig& config, const ExpectedTensor& expected,
                const ExpertWeights& experts) {
  const std::int64_t wide = config.experts.intermediate_size;
  switch (expected.role) {
    case TensorRole::kExpertGate:
      return {experts.up.select(0, expected.part).narrow(0, 0, wide)};
    case TensorRole::kExpertUp:
      return {experts.up.select(0, expected.part).narrow(0, wide, wide)};
    case TensorRole::kExpertDown:
      return {experts.down.select(0, expected.part)};
    case TensorRole::kFusedExpertGateUp:
      return {experts.up};
    case TensorRole::kFusedExpertDown:
      return {experts.down};
    case TensorRole::kRouterScale:
      return {experts.router_scale};
    case TensorRole::kExpertScale:
      return {experts.expert_scale};
    case TensorRole::kMlpBranchNorm:
      return NormSlot(expected, experts.mlp_norm);
    case TensorRole::kExpertInputNorm:
      return NormSlot(expected, experts.input_norm);
    case TensorRole::kExpertOutputNorm:
      return NormSlot(expected, experts.output_norm);
    default:
      return {experts.router.weight};
  }
}

Slot LayerSlot(const ModelConfig& config, const ExpectedTensor& expected,
               const LayerWeights& layer) {
  const LayerConfig& of = config.layer[static_cast<std::size_t>(expected.layer)];
  const std::int64_t queries = config.heads * of.head_dim;
  const std::int64_t keys = of.KeyRows(), values = of.ValueRows(), wide = of.intermediate_size;
  const Arrangement stored =
      config.transposed_projections ? Arrangement::kTransposed : Arrangement::kAsStored;
  const auto rows = [&](const Projection& of, std::int64_t first, std::int64_t count) {
    return RowSlot(expected, of, first, count, stored);
  };
  switch (expected.role) {
    case TensorRole::kFirstNorm:
      return NormSlot(expected, layer.first_norm);
    case TensorRole::kQuery:
      return rows(layer.qkv, 0, queries);
    case TensorRole::kKey:
      return rows(layer.qkv, queries, keys);
    case TensorRole::kValue:
      return rows(layer.qkv, queries + keys, values);
    case TensorRole::kFusedQkv:
      return RowSlot(
          expected, layer.qkv, 0, queries + keys + values,
          config.qkv_layout == QkvLayout::kFusedPerGroup ? Arrangement::kQkvPerGroup : stored);
    case TensorRole::kQueryNorm:
      return NormSlot(expected, layer.query_norm);
    case TensorRole::kKeyNorm:
      return NormSlot(expected, layer.key_norm);
    case TensorRole::kAttentionOutput:
      return rows(layer.output, 0, config.hidden_size);
    case TensorRole::kAttentionOutputNorm:
      return NormSlot(expected, layer.attention_output_norm);
    case TensorRole::kSecondNorm:
      return NormSlot(expected, layer.second_norm);
    case TensorRole::kGate:
      return rows(layer.up, 0, wide);
    case TensorRole::kUp:
      return rows(layer.up, config.gated_mlp ? wide : 0, wide);
    case TensorRole::kFusedGateUp:
      return rows(layer.up, 0, 2 * wide);
    case TensorRole::kDown:
      return rows(layer.down, 0, config.hidden_size);
    case TensorRole::kMlpOutputNorm:
      return NormSlot(expected, layer.mlp_output_norm);
    case TensorRole::kLayerInputGate:
      return {layer.layer_input_gate.weight};
    case TensorRole::kLayerInputProjection:
      return {layer.layer_input_projection.weight};
    case TensorRole::kLayerInputNorm:
      return NormSlot(expected, layer.layer_input_norm);
    case TensorRole::kLayerScale:
      return {layer.scale};
    default:
      return ExpertSlot(config, expected, layer.experts);
  }
}

Slot SlotOf(const ModelConfig& config, const ExpectedTensor& expected, const Weights& weights) {
  switch (expected.role) {
    case TensorRole::kEmbedding:
      return {weights.embedding};
    case TensorRole::kProjectIn:
      return {weights.project_in.weight};
    case TensorRole::kPositions:
      return {weights.positions};
    case TensorRole::kEmbeddingNorm:
      return NormSlot(expected, weights.embedding_norm);
    case TensorRole::kLayerEmbedding:
      return {weights.layer_embedding};
    case TensorRole::kLayerProjection:
      return {weights.layer_projection.weight};
    case TensorRole::kLayerProjectionNorm:
      return NormSlot(expected, weights.layer_projection_norm);
    case TensorRole::kFinalNorm:
      return NormSlot(expected, weights.final_norm);
    case TensorRole::kProjectOut:
      return {weights.project_out.weight};
    case TensorRole::kHead:
      return {expected.is_bias ? weights.head.bias : weights.head.weight};
    default:
      return LayerSlot(config, expected, weights.layers[static_cast<std::size_t>(expected.layer)]);
  }
}

// Rows [kv_heads, group + 2, head_dim, …] become all queries, all keys, all values.
void CopyQkvPerGroup(const ModelConfig& config, const at::Tensor& into, const at::Tensor& stored) {
  const std::int64_t group = config.heads / config.kv_heads;
  std::vector<std::int64_t> shape = {config.kv_heads, group + 2, config.head_dim};
  if (stored.dim() == 2) shape.push_back(stored.size(1));
  const at::Tensor per_group = stored.view(shape);
  std::int64_t first = 0;
  for (const auto& [part, count] :
       {std::pair<std::int64_t, std::int64_t>{0, group}, {group, 1}, {group + 1, 1}}) {
    const at::Tensor rows = per_group.narrow(1, part, count).flatten(0, 2);
    into.narrow(0, first, rows.size(0)).copy_(rows);
    first += rows.size(0);
  }
}

}  // namespace

Weights AllocateWeights(const ModelConfig& config, const TensorFactory& factory, bool tied) {
  return Allocator(config, factory).All(tied);
}

LayerWeights AllocateLayer(const ModelConfig& config, const TensorFactory& factory,
                           std::int64_t layer) {
  return Allocator(config, factory).Layer(config.layer[static_cast<std::size_t>(layer)]);
}

bool IsOfLayer(TensorRole role) {
  switch (role) {
    case TensorRole::kEmbedding:
    case TensorRole::kProjectIn:
    case TensorRole::kPositions:
    case TensorRole::kEmbeddingNorm:
    case TensorRole::kLayerEmbedding:
    case TensorRole::kLayerProjection:
    case TensorRole::kLayerProjectionNorm:
    case TensorRole::kFinalNorm:
    case TensorRole::kProjectOut:
    case TensorRole::kHead:
      return false;
    default:
      return true;
  }
}

at::Tensor PlaceAsStored(const ModelConfig& config, const ExpectedTensor& expected,
                         at::ScalarType stored, const Weights& weights) {
  const Slot slot = SlotOf(config, expected, weights);
  const bool is_same = slot.arrangement == Arrangement::kAsStored && slot.into.is_contiguous() &&
                       slot.into.is_cpu() && slot.into.scalar_type() == stored;
  return is_same ? slot.into : at::Tensor();
}

void PutTensor(const ModelConfig& config, const ExpectedTensor& expected, const at::Tensor& stored,
               Weights& weights) {
  const Slot slot = SlotOf(config, expected, weights);
  switch (slot.arrangement) {
    case Arrangement::kAsStored:
      slot.into.copy_(stored);
      break;
    case Arrangement::kTransposed:
      slot.into.copy_(stored.t());
      break;
    case Arrangement::kQkvPerGroup:
      CopyQkvPerGroup(config, slot.into, stored);
      break;
  }
}

}  // namespace couplingd
