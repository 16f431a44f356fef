// Rotary position embedding (Su et al., "RoFormer", 2021) and the scalings of long-context models.
#pragma once

#include <cstdint>
#include <vector>

#include "probes/model/config.h"

namespace couplingd {

// Radians per position for each pair of rotating elements: rope.dim / 2 of them. In fp32, in the
// order of operations of HF transformers, since positions multiply what rounding leaves. `is_long`:
// with LongRoPE's factors for long texts.
std::vector<float> InverseFrequencies(const Rope& rope, bool is_long);

// Texts of more tokens than this turn all of them by other factors (LongRoPE); 0: there are none.
std::int64_t LongestShortText(const ModelConfig& config);

}  // namespace couplingd
