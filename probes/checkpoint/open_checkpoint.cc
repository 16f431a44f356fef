#include "probes/checkpoint/open_checkpoint.h"

#include <algorithm>
#include <vector>

#include "base/files.h"
#include "probes/checkpoint/hf_directory.h"
#include "probes/checkpoint/layouts/torch_directory.h"

namespace couplingd {

Result<CheckpointWeights> OpenCheckpoint(const std::string& directory,
                                         const CheckpointOptions& options) {
  const std::vector<std::string> names = TRY(ListDirectory(directory));
  const auto has = [&](std::string_view name) { return std::ranges::binary_search(names, name); };
  if (has("model.safetensors") || has("model.safetensors.index.json")) {
    return OpenHfDirectory(directory, options);
  }
  if (has(kTorchSingleName) || has(kTorchIndexName)) return OpenTorchDirectory(directory, options);
  return OpenHfDirectory(directory, options);  // says what is there instead
}

}  // namespace couplingd
