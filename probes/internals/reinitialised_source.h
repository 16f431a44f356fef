// The weights that a model of this shape begins its training with: the control that says whether a
// statistic depends on what was learned.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "probes/checkpoint/tensor_source.h"
#include "probes/model/config.h"

namespace couplingd {

// A source of the same tensors in fp32: matrices are normal with standard deviation 0.02 (the
// default `initializer_range` of all three families), norms 1 and biases 0. Each tensor follows
// from its name and the seed alone.
std::unique_ptr<TensorSource> MakeReinitialisedSource(const std::vector<TensorInfo>& tensors,
                                                      const ModelConfig& config,
                                                      std::uint64_t seed);

}  // namespace couplingd
