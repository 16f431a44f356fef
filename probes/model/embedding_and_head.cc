#include "probes/model/embedding_and_head.h"

#include <ATen/TensorOperators.h>

#include <array>
#include <cmath>
#include <numbers>

#include "probes/model/layer_operations.h"
#include "probes/model/row_tiles.h"

namespace couplingd {
namespace {

// In the compute type, as a tensor of one element.
at::Tensor Rounded(const TensorFactory& factory, double value) {
  const std::array values = {static_cast<float>(value)};
  return factory.Values(values, {1}, factory.dtype());
}

// By tiles: several threads on one product may round otherwise than one does.
at::Tensor ProjectTiles(const Projection& projection, const at::Tensor& x) {
  const at::Tensor out = x.new_empty({x.size(0), projection.weight.size(0)});
  ForEachTile(x.device(), x.size(0), [&](std::int64_t begin, std::int64_t count) {
    ProjectInto(projection, x.narrow(0, begin, count), out.narrow(0, begin, count));
  });
  return out;
}

}  // namespace

at::Tensor Embed(const ModelConfig& config, const Weights& weights, const TensorFactory& factory,
                 const at::Tensor& ids, const at::Tensor& positions) {
  at::Tensor x = weights.embedding.index_select(0, ids);
  if (config.embedding_scale != 1) x.mul_(Rounded(factory, config.embedding_scale));
  if (weights.project_in.weight.defined()) x = ProjectTiles(weights.project_in, x);
  if (weights.positions.defined()) {
    x.add_(weights.positions.index_select(0, positions + config.position_offset));
  }
  return Normalise(config, weights.embedding_norm, x);
}

at::Tensor InputsOfLayers(const ModelConfig& config, const Weights& weights,
                          const TensorFactory& factory, const at::Tensor& ids,
                          const at::Tensor& embedded) {
  const std::int64_t size = config.layer_inputs.size;
  if (size == 0) return {};
  const double root = std::sqrt(static_cast<double>(config.hidden_size));
  const at::Tensor projected =
      ProjectTiles(weights.layer_projection, embedded).mul_(1 / root).unflatten(1, {-1, size});
  const at::Tensor of_tokens = weights.layer_embedding.index_select(0, ids)
                                   .mul_(Rounded(factory, std::sqrt(static_cast<double>(size))))
                                   .unflatten(1, {-1, size});
  return Normalise(config, weights.layer_projection_norm, projected)
      .add_(of_tokens)
      .mul_(std::numbers::sqrt2 / 2);
}

at::Tensor HeadInput(const ModelConfig& config, const Weights& weights, const at::Tensor& hidden) {
  const at::Tensor normalised = Normalise(config, weights.final_norm, hidden);
  return weights.project_out.weight.defined() ? ProjectTiles(weights.project_out, normalised)
                                              : normalised;
}

at::Tensor LogitsOf(const ModelConfig& config, const Weights& weights, const at::Tensor& head_input,
                    std::int64_t first, std::int64_t count) {
  const Projection& head = weights.head;
  const Projection part{head.weight.narrow(0, first, count),
                        head.bias.defined() ? head.bias.narrow(0, first, count) : at::Tensor(),
                        {}};
  return SoftCap(config.logit_softcap, Project(part, head_input));
}

}  // namespace couplingd
