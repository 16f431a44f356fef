// DeepSpeed checkpoints, all stages of ZeRO.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// `folder`: the tag's directory below `directory` (global_step4); empty: `directory` itself. Stages
// 0 to 2 keep the whole model in the precision of training in mp_rank_00_model_states.pt, which is
// read. Stage 3 keeps only fp32 partitions in the optimizer's files, one per rank, all of which
// must be there; they are merged. kUnsupported: tensor or pipeline parallelism.
Result<CheckpointWeights> OpenDeepSpeed(const std::string& directory, std::string_view folder,
                                        const CheckpointOptions& options);

}  // namespace couplingd
