// What comes before a decoder's first layer and after its last.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "probes/device/factory.h"
#include "probes/model/config.h"
#include "probes/model/weights.h"

namespace couplingd {

// The residual stream before the first layer: [rows, hidden]. Token ids int32 [rows], positions
// int64 [rows], both in the model's range.
at::Tensor Embed(const ModelConfig& config, const Weights& weights, const TensorFactory& factory,
                 const at::Tensor& ids, const at::Tensor& positions);

// LayerInputs of the rows with these tokens and embeddings: [rows, layers, size]; undefined where
// the model has none.
at::Tensor InputsOfLayers(const ModelConfig& config, const Weights& weights,
                          const TensorFactory& factory, const at::Tensor& ids,
                          const at::Tensor& embedded);

// What the head reads of the residual stream after the last layer: [rows, embedding size].
at::Tensor HeadInput(const ModelConfig& config, const Weights& weights, const at::Tensor& hidden);

// Of tokens [first, first + count): [rows, count].
at::Tensor LogitsOf(const ModelConfig& config, const Weights& weights, const at::Tensor& head_input,
                    std::int64_t first, std::int64_t count);

}  // namespace couplingd
