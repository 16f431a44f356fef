#include "probes/checkpoint/foreign_formats.h"

#include <fmt/format.h>

#include <algorithm>

#include "probes/checkpoint/layout.h"

namespace couplingd {
namespace {

Error NotYet(std::string message, std::string hint) {
  return {ErrorKind::kInvalidData, std::move(message), std::move(hint), true};
}

bool IsWeightsFile(const std::string& name) {
  const bool is_torch_shard = name.starts_with("pytorch_model-") && name.ends_with(".bin");
  return (name.ends_with(".safetensors") || is_torch_shard) && !IsIgnoredName(name) &&
         !ForeignFormatOfName(name);
}

}  // namespace

Error ExplainMissingWeights(const std::string& directory, const std::vector<std::string>& names) {
  const auto shard = std::ranges::find_if(names, IsWeightsFile);
  if (shard != names.end()) {
    return NotYet(fmt::format("{} holds {} but neither {} nor {}.index.json", directory, *shard,
                              shard->ends_with(".bin") ? "pytorch_model.bin" : "model.safetensors",
                              shard->ends_with(".bin") ? "pytorch_model.bin" : "model.safetensors"),
                  "a sharded model needs its index, which is written after the shards");
  }
  for (const std::string& name : names) {
    if (const auto format = ForeignFormatOfName(name)) {
      return {ErrorKind::kUnsupported,
              fmt::format("{} holds {}, which is not read (found {})", directory, *format, name),
              "save the model as safetensors, for example with save_pretrained", false};
    }
  }
  return NotYet(fmt::format("{} holds no model weights", directory),
                "expected model.safetensors, or model.safetensors.index.json with its shards");
}

}  // namespace couplingd
