// Keeps a checkpoint that its trainer is about to delete: by hard links or copies below the state
// directory.
#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"

namespace couplingd {

// Links or copies every file below `checkpoint` to `target`, which must not exist yet, and returns
// `target`; Preserve::kNone returns `checkpoint`. Nothing is written below `checkpoint`. On an
// error nothing is left at `target`.
Result<std::string> PreserveCheckpoint(const std::string& checkpoint, const std::string& target,
                                       Preserve how);

// Removes what PreserveCheckpoint made; missing is fine.
void RemovePreserved(const std::string& target);

}  // namespace couplingd
