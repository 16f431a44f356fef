// What of a model's configuration the names in a checkpoint depend on.
#pragma once

#include "probes/checkpoint/naming/canonical_names.h"
#include "probes/model/config.h"

namespace couplingd {

inline ModelDimensions DimensionsOf(const ModelConfig& config) {
  return {.model_type = config.model_type,
          .layers = config.layers,
          .heads = config.heads,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .intermediate_size = config.intermediate_size,
          .vocab_size = config.vocab_size};
}

}  // namespace couplingd
