// One layer of a decoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "probes/device/factory.h"
#include "probes/model/attention.h"
#include "probes/model/config.h"
#include "probes/model/forward_hook.h"
#include "probes/model/rotary_table.h"
#include "probes/model/weights.h"

namespace couplingd {

// What the layers of one pack share.
struct LayerContext {
  const ModelConfig& config;
  const TensorFactory& factory;
  const PackAttention& attention;
  std::vector<RotaryAngles> angles;  // one per element of config.ropes
  at::Tensor key_bias;               // AttentionRule's
  at::Tensor layer_inputs;           // [rows, layers, size]; undefined without LayerInputs
  ForwardHook* hook = nullptr;
};

// Keys and values that a layer attends to.
struct LayerMemory {
  const std::map<std::int32_t, KeysValues>& kept;  // of earlier packs
  const KeysValues* shared = nullptr;  // of the pack's rows, where an earlier layer made them
};

// Layer `index`, 0 … layers − 1, replaces x [rows, hidden] by its output, of the rows with the
// indices `wanted` only where that is defined. Gives the keys and values of all the pack's rows.
KeysValues RunLayer(const LayerContext& context, const LayerWeights& weights, std::size_t index,
                    const LayerMemory& memory, const at::Tensor& wanted, at::Tensor& x);

}  // namespace couplingd
