// Checkpoints of torch.distributed.checkpoint, as torchtitan, OLMo-core, Composer, Accelerate's
// FSDP and Megatron's torch_dist write them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// Opens the tensors of the model and leaves out the optimizer's. `folder`: where .metadata lies,
// below `directory`; empty: in it. Which framework wrote it follows from the names of the tensors
// and from the files beside it; step and tokens come from where that framework keeps them.
Result<CheckpointWeights> OpenDistributed(const std::string& directory, std::string_view folder,
                                          const CheckpointOptions& options);

}  // namespace couplingd
