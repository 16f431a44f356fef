// Opens a checkpoint, whatever wrote it.
#pragma once

#include <string>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// Recognises the format by the names in the directory and opens it; Composer's epE-baN-rank0.pt is
// a file itself. Nothing of the tensors is read.
// Errors: `retryable` set says that what is missing may still come (no weights yet, truncated, a
// shard, index or marker that is not there or not complete); kUnsupported names a format that is
// recognised and not read; kPermission and kInvalidData stand as they are.
Result<CheckpointWeights> OpenCheckpoint(const std::string& directory,
                                         const CheckpointOptions& options = {});

}  // namespace couplingd
