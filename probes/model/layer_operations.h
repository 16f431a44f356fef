// The parts of a decoder layer that look at each row alone.
#pragma once

#include <ATen/core/Tensor.h>

#include "probes/model/config.h"
#include "probes/model/weights.h"

namespace couplingd {

// x [rows, hidden], in its dtype.
at::Tensor Normalise(const ModelConfig& config, const Norm& norm, const at::Tensor& x);

// x [rows, in] to [rows, out].
at::Tensor Project(const Projection& projection, const at::Tensor& x);

// x [rows, hidden], already normalised.
at::Tensor Mlp(const ModelConfig& config, const LayerWeights& layer, const at::Tensor& x);

}  // namespace couplingd
