// The weights of a Hugging Face model directory that torch.save wrote: pytorch_model.bin, or its
// shards with pytorch_model.bin.index.json.
#pragma once

#include <string>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

inline constexpr std::string_view kTorchSingleName = "pytorch_model.bin";
inline constexpr std::string_view kTorchIndexName = "pytorch_model.bin.index.json";

// Errors as of OpenHfDirectory; every tensor that the index places in a shard must be in it.
Result<CheckpointWeights> OpenTorchDirectory(const std::string& directory,
                                             const CheckpointOptions& options);

}  // namespace couplingd
