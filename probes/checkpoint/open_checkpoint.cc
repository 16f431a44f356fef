#include "probes/checkpoint/open_checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "base/files.h"
#include "probes/checkpoint/hf_directory.h"
#include "probes/checkpoint/layout.h"
#include "probes/checkpoint/layouts/deepspeed.h"
#include "probes/checkpoint/layouts/distributed.h"
#include "probes/checkpoint/layouts/megatron.h"
#include "probes/checkpoint/layouts/nanotron.h"
#include "probes/checkpoint/layouts/single_archive.h"
#include "probes/checkpoint/layouts/torch_directory.h"

namespace couplingd {
namespace {

class Names {
 public:
  explicit Names(std::vector<std::string> names) : names_(std::move(names)) {}

  bool Has(std::string_view name) const { return std::ranges::binary_search(names_, name); }

  bool HasAny(std::string_view beginning, std::string_view ending) const {
    return std::ranges::any_of(names_, [&](const std::string& name) {
      return name.starts_with(beginning) && name.ends_with(ending);
    });
  }

  // The folder with the highest step, of those that begin so.
  std::string Latest(std::string_view beginning) const {
    std::string latest;
    std::int64_t highest = -1;
    for (const std::string& name : names_) {
      const auto step = name.starts_with(beginning) ? StepOfName(name) : std::nullopt;
      if (!step || *step <= highest) continue;
      highest = *step;
      latest = name;
    }
    return latest;
  }

 private:
  std::vector<std::string> names_;
};

bool IsDirectory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

Result<CheckpointWeights> OpenCheckpoint(const std::string& directory,
                                         const CheckpointOptions& options) {
  if (IsFileCheckpointName(BaseName(directory)) && !IsDirectory(directory)) {
    return OpenComposer(DirectoryName(directory), BaseName(directory), options);
  }
  const Names names(TRY(ListDirectory(directory)));
  if (names.Has("model.safetensors") || names.Has("model.safetensors.index.json")) {
    return OpenHfDirectory(directory, options);
  }
  if (names.Has(kTorchSingleName) || names.Has(kTorchIndexName)) {
    return OpenTorchDirectory(directory, options);
  }
  if (names.Has(".metadata") || names.HasAny("", ".distcp")) {
    return OpenDistributed(directory, "", options);
  }
  for (const std::string_view folder : {"model_and_optim", "pytorch_model_fsdp_0"}) {
    if (names.Has(folder)) return OpenDistributed(directory, folder, options);
  }
  if (names.HasAny("mp_rank_", "_model_states.pt") || names.HasAny("zero_pp_rank_", ".pt") ||
      names.HasAny("bf16_zero_pp_rank_", ".pt")) {
    return OpenDeepSpeed(directory, "", options);
  }
  if (const std::string tag = names.Latest("global_step"); !tag.empty()) {
    return OpenDeepSpeed(directory, tag, options);
  }
  if (names.HasAny("mp_rank_", "")) return OpenMegatron(directory, options);
  if (names.Has("lit_model.pth")) {
    return IsDirectory(JoinPath(directory, "lit_model.pth"))
               ? OpenDistributed(directory, "lit_model.pth", options)
               : OpenLitgpt(directory, options);
  }
  if (names.Has("checkpoint_metadata.json") && names.Has("model")) {
    return OpenNanotron(directory, options);
  }
  if (names.Has("model.pt") && names.Has("train.pt")) return OpenOldOlmo(directory, options);
  return OpenHfDirectory(directory, options);  // says what is there instead
}

}  // namespace couplingd
