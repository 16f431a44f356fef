// Rotary position embedding (Su et al., "RoFormer", 2021) and the scalings of long-context models.
#pragma once

#include <cstdint>
#include <vector>

#include "probes/model/config.h"

namespace couplingd {

// Radians per position for each pair of rotating elements: rope.dim / 2 of them. In fp32, in the
// order of operations of HF transformers, since positions multiply what rounding leaves. `length`
// is that of the longest text in the batch, by which LongRoPE chooses its factors.
std::vector<float> InverseFrequencies(const Rope& rope, std::int64_t length);

// Whether texts of this length take LongRoPE's factors for long ones.
bool IsLong(const Rope& rope, std::int64_t length);

}  // namespace couplingd
