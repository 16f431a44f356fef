#include "demo/tiny_llama.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <fmt/format.h>

#include <cmath>

namespace couplingd {
namespace {

std::string LayerName(int layer, const char* name) {
  return fmt::format("model.layers.{}.{}.weight", layer, name);
}

}  // namespace

TinyLlama::TinyLlama(const TinyLlamaShape& shape, std::uint64_t seed) : shape_(shape) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto normal = [&](std::int64_t rows, std::int64_t columns, double deviation) {
    return at::empty({rows, columns}, at::kFloat)
        .normal_(0, deviation, generator)
        .set_requires_grad(true);
  };
  const auto ones = [&] { return at::ones({shape_.width}, at::kFloat).set_requires_grad(true); };
  const std::int64_t width = shape.width, inner = shape.feed_forward();
  const double deep = 1 / std::sqrt(2.0 * shape.layers);
  const auto linear = [&](std::int64_t rows, std::int64_t columns, double scale = 1) {
    return normal(rows, columns, scale * 0.7 / std::sqrt(static_cast<double>(columns)));
  };
  weights_["model.embed_tokens.weight"] = normal(shape.vocabulary, width, 0.02);
  for (int layer = 0; layer < shape.layers; ++layer) {
    weights_[LayerName(layer, "input_layernorm")] = ones();
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}) {
      weights_[LayerName(layer, name)] = linear(width, width);
    }
    weights_[LayerName(layer, "self_attn.o_proj")] = linear(width, width, deep);
    weights_[LayerName(layer, "post_attention_layernorm")] = ones();
    weights_[LayerName(layer, "mlp.gate_proj")] = linear(inner, width);
    weights_[LayerName(layer, "mlp.up_proj")] = linear(inner, width);
    weights_[LayerName(layer, "mlp.down_proj")] = linear(width, inner, deep);
  }
  weights_["model.norm.weight"] = ones();
  const auto dim = shape.head_dim();
  const auto exponents = at::arange(0, dim, 2, at::kFloat) / dim;
  const auto frequencies = at::pow(static_cast<float>(shape.rope_theta), -exponents);
  const auto angles = at::outer(at::arange(shape.positions, at::kFloat), frequencies);
  cos_ = at::cat({angles, angles}, -1).cos();
  sin_ = at::cat({angles, angles}, -1).sin();
}

std::int64_t TinyLlama::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, weight] : weights_) count += weight.numel();
  return count;
}

const at::Tensor& TinyLlama::Weight(int layer, const char* name) const {
  return weights_.at(LayerName(layer, name));
}

at::Tensor TinyLlama::Norm(const at::Tensor& x, const at::Tensor& weight) const {
  return x * at::rsqrt(x.square().mean(-1, /*keepdim=*/true) + shape_.norm_epsilon) * weight;
}

// x [batch, heads, length, head_dim]; element i pairs with element i + head_dim / 2.
at::Tensor TinyLlama::Rotate(const at::Tensor& x) const {
  const auto length = x.size(2), half = x.size(3) / 2;
  const auto turned = at::cat({-x.narrow(-1, half, half), x.narrow(-1, 0, half)}, -1);
  return x * cos_.narrow(0, 0, length) + turned * sin_.narrow(0, 0, length);
}

at::Tensor TinyLlama::Attention(const at::Tensor& x, int layer) const {
  const auto batch = x.size(0), length = x.size(1);
  const auto heads = [&](const char* name) {
    return at::linear(x, Weight(layer, name))
        .view({batch, length, shape_.heads(), shape_.head_dim()})
        .transpose(1, 2);
  };
  const auto mixed =
      at::scaled_dot_product_attention(Rotate(heads("self_attn.q_proj")),
                                       Rotate(heads("self_attn.k_proj")), heads("self_attn.v_proj"),
                                       /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/true);
  return at::linear(mixed.transpose(1, 2).reshape({batch, length, shape_.width}),
                    Weight(layer, "self_attn.o_proj"));
}

at::Tensor TinyLlama::FeedForward(const at::Tensor& x, int layer) const {
  const auto gated = at::silu(at::linear(x, Weight(layer, "mlp.gate_proj"))) *
                     at::linear(x, Weight(layer, "mlp.up_proj"));
  return at::linear(gated, Weight(layer, "mlp.down_proj"));
}

at::Tensor TinyLlama::Forward(const at::Tensor& ids) const {
  const at::Tensor& embedding = weights_.at("model.embed_tokens.weight");
  at::Tensor x = at::embedding(embedding, ids);
  for (int layer = 0; layer < shape_.layers; ++layer) {
    x = x + Attention(Norm(x, Weight(layer, "input_layernorm")), layer);
    x = x + FeedForward(Norm(x, Weight(layer, "post_attention_layernorm")), layer);
  }
  return at::linear(Norm(x, weights_.at("model.norm.weight")), embedding);
}

}  // namespace couplingd
