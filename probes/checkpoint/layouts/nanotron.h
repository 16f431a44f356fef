// nanotron checkpoints: a safetensors file per parameter and rank, below model/.
#pragma once

#include <string>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// model/<module>/…/model_weight[_pp-rank-P-of-N_tp-rank-T-of-M].safetensors, with one tensor
// `data`; parts of a tensor-parallel parameter say in __metadata__ which slice of the whole they
// are. Complete once model_config.json, which is written last, is there. kInvalidData: parts that
// are missing, overlap, or do not make up the whole. kUnsupported: slices with a step, expert
// parallelism.
Result<CheckpointWeights> OpenNanotron(const std::string& directory,
                                       const CheckpointOptions& options);

}  // namespace couplingd
