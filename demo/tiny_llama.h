// A decoder of the llama family, small enough to be trained on a laptop in seconds, with gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace couplingd {

struct TinyLlamaShape {
  int vocabulary = 0;
  int width = 64;  // hidden size; heads of min(16, width)
  int layers = 2;
  int positions = 64;
  double norm_epsilon = 1e-5;
  double rope_theta = 10000;

  int head_dim() const { return width < 16 ? width : 16; }
  int heads() const { return width / head_dim(); }
  int feed_forward() const { return 2 * width; }
};

// Weights by the names that Hugging Face gives them; embeddings are tied.
class TinyLlama {
 public:
  TinyLlama(const TinyLlamaShape& shape, std::uint64_t seed);

  // ids [batch, length] int64 → logits [batch, length, vocabulary].
  at::Tensor Forward(const at::Tensor& ids) const;

  const std::map<std::string, at::Tensor>& weights() const { return weights_; }
  const TinyLlamaShape& shape() const { return shape_; }
  std::int64_t parameter_count() const;

 private:
  const at::Tensor& Weight(int layer, const char* name) const;
  at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor Rotate(const at::Tensor& x) const;
  at::Tensor Attention(const at::Tensor& x, int layer) const;
  at::Tensor FeedForward(const at::Tensor& x, int layer) const;

  TinyLlamaShape shape_;
  std::map<std::string, at::Tensor> weights_;
  at::Tensor cos_, sin_;  // [positions, head_dim]
};

}  // namespace couplingd
