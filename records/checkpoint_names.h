// What the names that trainers give to checkpoint directories say. One set of rules for everything
// that looks at names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace couplingd {

// The training step of a checkpoint called so: checkpoint-N (Hugging Face Trainer), step-N, step_N
// and stepN (torchtitan, OLMo, Hub revisions), iter_N (Megatron), global_stepN (DeepSpeed), epE-baN
// (Composer; its files epE-baN-rank0.pt too). Absent for any other name, for one that
// IsIgnoredName, and for a step beyond 2^53.
std::optional<std::int64_t> StepOfName(std::string_view name);

// Likewise of a folder that can only be a checkpoint of a run: nanotron's are bare numbers.
std::optional<std::int64_t> StepOfFolder(std::string_view name);

// True for a name that a checkpoint has which is one file: Composer's epE-baN-rank0.pt.
bool IsFileCheckpointName(std::string_view name);

// Names of what is still being written or is not meant for others: staging directories (tmp-*,
// *-tmp, .tmp*, *.tmp,
// *.incomplete, *.partial), .nfs* and other hidden names but .metadata and .metadata.json.
bool IsIgnoredName(std::string_view name);

}  // namespace couplingd
