// What a directory without weights that are read is instead.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace couplingd {

// Explains why `names`, the content of `directory`, give no model to read. Recognised by name:
// adapter-only directories, JAX stores, GGUF and others are kUnsupported. Shards without their
// index, or no weights at all, are kInvalidData with `retryable` set: they may still come.
Error ExplainMissingWeights(const std::string& directory, const std::vector<std::string>& names);

}  // namespace couplingd
