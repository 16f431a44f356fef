// The weights of a Hugging Face model directory.
#pragma once

#include <string>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// Opens model.safetensors, or every shard that model.safetensors.index.json names. Where both
// exist, the one that is complete is taken, and of two complete ones the one written last. Shard
// names must be plain file names; every shard must be there and hold every tensor that the index
// places in it. Nothing of the data is read. Errors: `retryable` set says that what is missing may
// still come (no weights yet, truncated, a shard or index that is not there or not complete);
// kUnsupported names another format; kPermission and kInvalidData stand as they are.
Result<CheckpointWeights> OpenHfDirectory(const std::string& directory,
                                          const CheckpointOptions& options = {});

}  // namespace couplingd
