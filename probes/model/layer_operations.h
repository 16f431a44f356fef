// The parts of a decoder layer that look at each row alone.
#pragma once

#include <ATen/core/Tensor.h>

#include "probes/device/factory.h"
#include "probes/model/config.h"
#include "probes/model/weights.h"

namespace couplingd {

// x [rows, …, size], in its dtype; x itself where the norm does not exist.
at::Tensor Normalise(const ModelConfig& config, const Norm& norm, const at::Tensor& x);

// x [rows, in] to [rows, out].
at::Tensor Project(const Projection& projection, const at::Tensor& x);
void ProjectInto(const Projection& projection, const at::Tensor& x, at::Tensor out);
// What is read, projected and normalised, onto the residual stream x.
void AddProjected(const ModelConfig& config, const Projection& projection, const Norm& norm,
                  const at::Tensor& read, at::Tensor& x);

// The layer's MLP, its experts, or both. x [rows, hidden] is the residual stream, `read` the same
// normalised.
at::Tensor Mlp(const ModelConfig& config, const LayerWeights& layer, const TensorFactory& factory,
               const at::Tensor& x, const at::Tensor& read);

// The same, normalised as the layer says, onto x.
void AddMlp(const ModelConfig& config, const LayerWeights& layer, const TensorFactory& factory,
            const at::Tensor& read, at::Tensor& x);

// What Gemma 4 adds behind the MLP. x [rows, hidden], inputs [rows, size] of this layer.
at::Tensor LayerInput(const ModelConfig& config, const LayerWeights& layer,
                      const at::Tensor& inputs, const at::Tensor& x);

// cap · tanh(x / cap), in place; x as it is where cap is 0.
at::Tensor SoftCap(double cap, at::Tensor x);

}  // namespace couplingd
