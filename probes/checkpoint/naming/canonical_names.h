// From the names and arrangements of training frameworks to those of the Hugging Face families.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// What of a model's configuration decides how its matrices are cut.
struct ModelDimensions {
  std::string model_type;  // "llama"
  std::int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate_size = 0,
               vocab_size = 0;
};

// Gives the same weights under Hugging Face's names: fused projections are cut apart, rows that the
// framework orders for interleaved rotary positions are put in the order of halves, and rows of a
// padded vocabulary are left out. Nothing is read; the new source reads through the old one.
// Weights that bear those names already are given back as they are. kUnsupported: a family that the
// framework's names are not mapped to. kInvalidData: a tensor without a place, or of another shape
// than the configuration gives it.
Result<CheckpointWeights> WithCanonicalNames(CheckpointWeights weights,
                                             const ModelDimensions& model);

}  // namespace couplingd
