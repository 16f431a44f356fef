// Megatron-LM checkpoints.
#pragma once

#include <string>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"
#include "probes/checkpoint/pickle/value.h"

namespace couplingd {

// The format `torch`: mp_rank_TT[_PPP]/model_optim_rng.pt, one file per tensor- and
// pipeline-parallel rank, which are merged. Every rank that the arguments in the first one count
// must be there. kUnsupported: expert parallelism, virtual pipelines, checkpoint versions before
// 2.0, layer norms that store their weight minus one.
Result<CheckpointWeights> OpenMegatron(const std::string& directory,
                                       const CheckpointOptions& options);

// Step and tokens from the state that all ranks have in common ({"args", "iteration", …}), and what
// its arguments say that cannot be read.
Status TakeMegatronState(PickleRef common, const std::string& path, CheckpointWeights& weights);

}  // namespace couplingd
