// The one place where a forward pass can be looked into, and changed: for all families alike.
#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace couplingd {

// Row r of every tensor is token pack.token_begin + r of the plan that runs. Tensors live on the
// decoder's device in its compute type and may not be kept without a copy, but for `head`.
class ForwardHook {
 public:
  virtual ~ForwardHook() = default;

  // The residual stream behind `layer` layers, [rows, hidden]: 0 is the embedding, config().layers
  // what the final norm reads. Written in place, it is what the rest of the model sees.
  virtual void OnResidual(std::int64_t layer, at::Tensor& residual) { (void)layer, (void)residual; }
  // What the heads of layer 1 … config().layers give before their output projection, [rows, heads ·
  // head_dim].
  virtual void OnHeads(std::int64_t layer, const at::Tensor& heads) { (void)layer, (void)heads; }
  // What the output matrix `head` [vocab, width] reads, [rows, width]. A bias and a cap on the
  // logits, which some families have, come after it.
  virtual void OnOutput(const at::Tensor& normalised, const at::Tensor& head) {
    (void)normalised, (void)head;
  }
};

}  // namespace couplingd
