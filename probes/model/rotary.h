// Rotary position embedding (Su et al., "RoFormer", 2021) and the scalings of long-context models.
#pragma once

#include <cstdint>
#include <vector>

#include "probes/model/config.h"

namespace couplingd {

// Radians per position for each pair of rotating elements: rotary_dim / 2 of them. In fp32, in the
// order of operations of HF transformers, since positions multiply what rounding leaves.
std::vector<float> InverseFrequencies(const ModelConfig& config);

}  // namespace couplingd
