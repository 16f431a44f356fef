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

// x [rows, hidden], already normalised: the layer's MLP, or its experts.
at::Tensor Mlp(const ModelConfig& config, const LayerWeights& layer, const TensorFactory& factory,
               const at::Tensor& x);

// cap · tanh(x / cap), in place; x as it is where cap is 0.
at::Tensor SoftCap(double cap, at::Tensor x);

}  // namespace couplingd
