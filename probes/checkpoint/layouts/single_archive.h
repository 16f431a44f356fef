// Checkpoints whose whole state is one torch archive: litgpt, Composer, OLMo before OLMo-core.
#pragma once

#include <string>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// lit_model.pth, complete once model_config.yaml, which is written last, is there.
Result<CheckpointWeights> OpenLitgpt(const std::string& directory,
                                     const CheckpointOptions& options);

// An unsharded checkpoint of the older OLMo trainer: model.pt, with train.pt and config.yaml.
Result<CheckpointWeights> OpenOldOlmo(const std::string& directory,
                                      const CheckpointOptions& options);

// The file epE-baN-rank0.pt (or its link latest-rank0.pt) of Composer, in `directory`.
Result<CheckpointWeights> OpenComposer(const std::string& directory, const std::string& name,
                                       const CheckpointOptions& options);

}  // namespace couplingd
