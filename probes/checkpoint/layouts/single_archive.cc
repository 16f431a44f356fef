#include "probes/checkpoint/layouts/single_archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "probes/checkpoint/layouts/stored_tensors.h"

namespace couplingd {
namespace {

std::optional<std::int64_t> IntegerAt(PickleRef mapping, std::string_view key) {
  const PickleRef value = FindItem(mapping, key);
  if (!value || !value->Is(PickleKind::kInt)) return std::nullopt;
  return value->integer;
}

void Strip(std::vector<AssembledTensor>& tensors, std::string_view prefix) {
  for (AssembledTensor& tensor : tensors) {
    if (tensor.info.name.starts_with(prefix)) tensor.info.name.erase(0, prefix.size());
  }
}

}  // namespace

Result<CheckpointWeights> OpenLitgpt(const std::string& directory,
                                     const CheckpointOptions& options) {
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  const OpenedArchive state = TRY(OpenArchiveFile(files, "lit_model.pth"));
  TRY(files.Open("model_config.yaml"));  // not signed: it says nothing of the weights
  const PickleRef root = state.archive.object.root();
  const PickleRef model = FindItem(root, "model");  // a training state; else the weights alone
  std::vector<AssembledTensor> tensors =
      TRY(WholeTensorsOf(files, state, model && model->Is(PickleKind::kDict) ? model : root));
  CheckpointWeights weights =
      TRY(FinishWeights(std::move(files), std::move(tensors), "litgpt", Naming::kLitgpt));
  weights.step = IntegerAt(root, "step_count");
  return weights;
}

Result<CheckpointWeights> OpenOldOlmo(const std::string& directory,
                                      const CheckpointOptions& options) {
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  const OpenedArchive model = TRY(OpenArchiveFile(files, "model.pt"));
  const OpenedArchive train = TRY(OpenArchiveFile(files, "train.pt"));
  TRY(files.Open("config.yaml"));
  std::vector<AssembledTensor> tensors =
      TRY(WholeTensorsOf(files, model, model.archive.object.root()));
  CheckpointWeights weights =
      TRY(FinishWeights(std::move(files), std::move(tensors), "OLMo", Naming::kHuggingFace));
  const PickleRef state = train.archive.object.root();
  weights.step = IntegerAt(state, "global_step");
  weights.tokens = IntegerAt(state, "global_train_tokens_seen");
  if (weights.tokens) weights.tokens_source = "global_train_tokens_seen";
  return weights;
}

Result<CheckpointWeights> OpenComposer(const std::string& directory, const std::string& name,
                                       const CheckpointOptions& options) {
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  const OpenedArchive opened = TRY(OpenArchiveFile(files, name));
  const PickleRef state = FindItem(opened.archive.object.root(), "state");
  const PickleRef model = FindItem(state, "model");
  if (!model || !model->Is(PickleKind::kDict)) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: it lacks state.model, where Composer keeps the weights",
                            opened.archive.path));
  }
  std::vector<AssembledTensor> tensors = TRY(WholeTensorsOf(files, opened, model));
  Strip(tensors, "model.");
  CheckpointWeights weights =
      TRY(FinishWeights(std::move(files), std::move(tensors), "Composer", Naming::kHuggingFace));
  const PickleRef timestamp = FindItem(FindItem(state, "timestamp"), "Timestamp");
  weights.step = IntegerAt(timestamp, "batch");
  const auto tokens = IntegerAt(timestamp, "token");
  if (tokens && *tokens > 0) {
    weights.tokens = tokens;
    weights.tokens_source = "timestamp.token";
  }
  return weights;
}

}  // namespace couplingd
