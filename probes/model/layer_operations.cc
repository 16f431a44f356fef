#include "probes/model/layer_operations.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>

#include <cmath>

#include "probes/model/packed_linear.h"

namespace couplingd {
namespace {

const Norm kNoWeight = {.exists = true, .weight = {}, .bias = {}};

// In place.
at::Tensor& Activate(Activation activation, at::Tensor& x) {
  constexpr double kQuickGeluSlope = 1.702;
  switch (activation) {
    case Activation::kGelu:
      return at::gelu_(x, "none");
    case Activation::kGeluTanh:
      return at::gelu_(x, "tanh");
    case Activation::kQuickGelu:
      return x.mul_(at::sigmoid(x * kQuickGeluSlope));
    case Activation::kSilu:
      return at::silu_(x);
    case Activation::kRelu:
      return at::relu_(x);
    case Activation::kReluSquared:
      return at::relu_(x).square_();
  }
  return x;
}

// [rows, 2 · size], gate first, to [rows, size], in place.
at::Tensor Gated(Activation activation, const at::Tensor& wide) {
  const std::int64_t size = wide.size(1) / 2;
  at::Tensor gate = wide.narrow(1, 0, size);
  return Activate(activation, gate).mul_(wide.narrow(1, size, size));
}

at::Tensor LayerNormalise(const ModelConfig& config, const Norm& norm, const at::Tensor& x) {
  const std::int64_t size = x.size(-1);
  if (!norm.weight.defined() || norm.weight.dim() == 1) {
    return at::layer_norm(x, {size}, norm.weight, norm.bias, config.norm_epsilon);
  }
  at::Tensor unit = at::layer_norm(x, {size}, {}, {}, config.norm_epsilon).mul_(norm.weight);
  return norm.bias.defined() ? unit.add_(norm.bias) : unit;
}

// Each row of x goes through the experts of its largest probabilities (Shazeer et al., 2017), which
// the router takes from `read`.
at::Tensor MixExperts(const ModelConfig& config, const ExpertWeights& experts,
                      const TensorFactory& factory, const at::Tensor& read, const at::Tensor& x) {
  const std::int64_t per_token = config.experts.per_token;
  const at::Tensor router =
      at::softmax(Project(experts.router, read).to(at::ScalarType::Float), -1);
  auto [shares, chosen] = at::topk(router, per_token);
  if (config.experts.renormalise) shares = shares / shares.sum(-1, /*keepdim=*/true);
  if (experts.expert_scale.defined()) {
    shares = shares * experts.expert_scale.index_select(0, chosen.flatten()).view(shares.sizes());
  }
  const at::Tensor flat_shares = shares.flatten().to(x.scalar_type());
  const at::Tensor choices = chosen.to(at::kCPU).contiguous();
  const std::int64_t* choice = choices.const_data_ptr<std::int64_t>();

  std::vector<std::vector<std::int64_t>> places(static_cast<std::size_t>(config.experts.count));
  for (std::int64_t place = 0; place < choices.numel(); ++place) {
    places[static_cast<std::size_t>(choice[place])].push_back(place);
  }
  at::Tensor sum = factory.Empty(x.sizes()).zero_();
  for (std::size_t expert = 0; expert < places.size(); ++expert) {
    if (places[expert].empty()) continue;
    const at::Tensor share = flat_shares.index_select(0, factory.Indices(places[expert]));
    for (std::int64_t& place : places[expert]) place /= per_token;  // now its row
    const at::Tensor rows = factory.Indices(places[expert]);
    const auto index = static_cast<std::int64_t>(expert);
    const at::Tensor wide = at::linear(x.index_select(0, rows), experts.up.select(0, index));
    const at::Tensor out =
        at::linear(Gated(config.activation, wide), experts.down.select(0, index));
    sum.index_add_(0, rows, out * share.unsqueeze(1));
  }
  return sum;
}

// What a layer's one MLP projects down.
at::Tensor Widened(const ModelConfig& config, const LayerWeights& layer, const at::Tensor& x) {
  at::Tensor wide = Project(layer.up, x);
  return config.gated_mlp ? Gated(config.activation, wide) : Activate(config.activation, wide);
}

}  // namespace

at::Tensor Normalise(const ModelConfig& config, const Norm& norm, const at::Tensor& x) {
  if (!norm.exists) return x;
  if (config.norm == NormKind::kLayerNorm) return LayerNormalise(config, norm, x);
  const at::Tensor wide = x.to(at::ScalarType::Float);
  const at::Tensor inverse =
      wide.square().mean(-1, /*keepdim=*/true).add_(config.norm_epsilon).rsqrt_();
  at::Tensor unit = wide * inverse;
  if (!norm.weight.defined()) return unit.to(x.scalar_type());
  if (config.norm == NormKind::kRmsNorm) return unit.to(x.scalar_type()).mul_(norm.weight);
  const at::Tensor weight = norm.weight.to(at::ScalarType::Float);
  const bool adds_one = config.norm == NormKind::kRmsNormOnePlus;
  return unit.mul_(adds_one ? weight + 1 : weight).to(x.scalar_type());
}

at::Tensor Project(const Projection& projection, const at::Tensor& x) {
  if (projection.packed.defined()) return PackedLinear(projection, x);
  return at::linear(x, projection.weight, projection.OptionalBias());
}

void ProjectInto(const Projection& projection, const at::Tensor& x, at::Tensor out) {
  if (projection.packed.defined()) {
    out.copy_(PackedLinear(projection, x));
    return;
  }
  at::linear_out(out, x, projection.weight, projection.OptionalBias());
}

void AddProjected(const ModelConfig& config, const Projection& projection, const Norm& norm,
                  const at::Tensor& read, at::Tensor& x) {
  const bool is_one_product = !norm.exists && !projection.packed.defined() &&
                              !projection.bias.defined() && x.is_cpu() &&
                              x.scalar_type() == at::kFloat;
  if (is_one_product) {
    x.addmm_(read, projection.weight.t());
  } else {
    x.add_(Normalise(config, norm, Project(projection, read)));
  }
}

at::Tensor Mlp(const ModelConfig& config, const LayerWeights& layer, const TensorFactory& factory,
               const at::Tensor& x, const at::Tensor& read) {
  const ExpertWeights& experts = layer.experts;
  const bool has_experts = experts.router.weight.defined();
  if (has_experts && !config.experts.beside_mlp) {
    return MixExperts(config, experts, factory, read, read);
  }
  const at::Tensor one = Project(layer.down, Widened(config, layer, read));
  if (!has_experts) return one;
  const double root = 1 / std::sqrt(static_cast<double>(config.hidden_size));
  const at::Tensor routed = Normalise(config, kNoWeight, x).mul_(experts.router_scale).mul_(root);
  const at::Tensor mixed =
      MixExperts(config, experts, factory, routed, Normalise(config, experts.input_norm, x));
  return Normalise(config, experts.mlp_norm, one) + Normalise(config, experts.output_norm, mixed);
}

void AddMlp(const ModelConfig& config, const LayerWeights& layer, const TensorFactory& factory,
            const at::Tensor& read, at::Tensor& x) {
  if (layer.experts.router.weight.defined()) {
    x.add_(Normalise(config, layer.mlp_output_norm, Mlp(config, layer, factory, x, read)));
  } else {
    AddProjected(config, layer.down, layer.mlp_output_norm, Widened(config, layer, read), x);
  }
}

at::Tensor LayerInput(const ModelConfig& config, const LayerWeights& layer,
                      const at::Tensor& inputs, const at::Tensor& x) {
  at::Tensor gate = Project(layer.layer_input_gate, x);
  Activate(config.activation, gate).mul_(inputs);
  return Normalise(config, layer.layer_input_norm, Project(layer.layer_input_projection, gate));
}

at::Tensor SoftCap(double cap, at::Tensor x) {
  if (cap == 0) return x;
  return x.div_(cap).tanh_().mul_(cap);
}

}  // namespace couplingd
