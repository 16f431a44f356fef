// Where each tensor of a checkpoint goes in the model's weights.
#pragma once

#include <ATen/core/Tensor.h>

#include "probes/device/factory.h"
#include "probes/model/config.h"
#include "probes/model/weights.h"

namespace couplingd {

// Room for everything that ExpectedTensors names outside the layers, on the factory's device in its
// type; layers are empty. Tied: the head's weight is the embedding.
Weights AllocateWeights(const ModelConfig& config, const TensorFactory& factory, bool tied);

// Likewise for one layer.
LayerWeights AllocateLayer(const ModelConfig& config, const TensorFactory& factory,
                           std::int64_t layer);

// Whether tensors of this role belong to one layer.
bool IsOfLayer(TensorRole role);

// Where a tensor of this element type stands in the weights exactly as a file holds it, so that it
// can be read there; undefined where it has to be converted, rearranged or copied to a GPU.
at::Tensor PlaceAsStored(const ModelConfig& config, const ExpectedTensor& expected,
                         at::ScalarType stored, const Weights& weights);

// Copies a tensor as the file holds it, on the weights' device, to its place.
void PutTensor(const ModelConfig& config, const ExpectedTensor& expected, const at::Tensor& stored,
               Weights& weights);

}  // namespace couplingd
