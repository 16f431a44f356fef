#include "probes/model/layer_operations.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>

#include <optional>

#include "probes/model/packed_linear.h"

namespace couplingd {
namespace {

at::Tensor Activate(Activation activation, const at::Tensor& x) {
  constexpr double kQuickGeluSlope = 1.702;
  switch (activation) {
    case Activation::kGelu:
      return at::gelu(x, "none");
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kQuickGelu:
      return x * at::sigmoid(x * kQuickGeluSlope);
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kReluSquared:
      return at::relu(x).square_();
  }
  return x;
}

}  // namespace

at::Tensor Normalise(const ModelConfig& config, const Norm& norm, const at::Tensor& x) {
  if (config.norm == NormKind::kLayerNorm) {
    return at::layer_norm(x, {x.size(-1)}, norm.weight, norm.bias, config.norm_epsilon);
  }
  const at::Tensor wide = x.to(at::ScalarType::Float);
  const at::Tensor inverse =
      wide.square().mean(-1, /*keepdim=*/true).add_(config.norm_epsilon).rsqrt_();
  return (wide * inverse).to(x.scalar_type()).mul_(norm.weight);
}

at::Tensor Project(const Projection& projection, const at::Tensor& x) {
  if (projection.packed.defined()) return PackedLinear(projection, x);
  return at::linear(
      x, projection.weight,
      projection.bias.defined() ? std::optional<at::Tensor>(projection.bias) : std::nullopt);
}

at::Tensor Mlp(const ModelConfig& config, const LayerWeights& layer, const at::Tensor& x) {
  const at::Tensor wide = Project(layer.up, x);
  if (!config.gated_mlp) return Project(layer.down, Activate(config.activation, wide));
  const std::int64_t width = config.intermediate_size;
  return Project(
      layer.down,
      Activate(config.activation, wide.narrow(1, 0, width)).mul_(wide.narrow(1, width, width)));
}

}  // namespace couplingd
