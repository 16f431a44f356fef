#include "probes/checkpoint/layouts/distributed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "probes/checkpoint/dcp/dcp_reader.h"
#include "probes/checkpoint/layouts/megatron.h"
#include "probes/checkpoint/layouts/stored_tensors.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxJsonBytes = 64u << 20;

// What is not of the model.
bool IsWanted(std::string_view name) {
  for (const std::string_view beginning :
       {"optim.", "optimizer.", "optimizers.", "optimizer/", "state.optimizers.", "rng_state",
        "rerun_state_machine_state", "chained_"}) {
    if (name.starts_with(beginning)) return false;
  }
  return !name.contains("_extra_state");
}

// Composer wraps the model twice, the others once or not at all.
std::string_view PrefixOf(const std::vector<DcpTensor>& tensors) {
  for (const std::string_view prefix : {"state.model.model.", "state.model.", "model."}) {
    const auto has = [&](const DcpTensor& tensor) { return tensor.name.starts_with(prefix); };
    const auto count = std::ranges::count_if(tensors, has);
    if (count > 0 && (prefix != "model." || count == std::ssize(tensors))) return prefix;
  }
  return "";
}

Naming NamingOf(const std::vector<DcpTensor>& tensors, std::string_view prefix) {
  const auto has = [&](std::string_view part) {
    return std::ranges::any_of(tensors, [&](const DcpTensor& tensor) {
      return std::string_view(tensor.name)
          .substr(std::min(prefix.size(), tensor.name.size()))
          .starts_with(part);
    });
  };
  if (has("tok_embeddings.")) return Naming::kTorchtitan;
  if (has("blocks.") && has("lm_head.norm.")) return Naming::kOlmoCore;
  if (has("embedding.word_embeddings.")) return Naming::kMegatron;
  return Naming::kHuggingFace;
}

// torchtitan counts the tokens of one rank; how many ranks read data, its data loader's entries
// say.
Status TakeTorchtitanState(DcpReader& reader, CheckpointWeights& weights) {
  weights.step = TRY(reader.FindInteger("train_state.step"));
  const auto per_rank = TRY(reader.FindInteger("train_state.ntokens_seen"));
  const auto ranks = std::ranges::count_if(reader.metadata().objects, [](const DcpObject& object) {
    return object.name.starts_with("dataloader.dp_rank_");
  });
  if (!per_rank || *per_rank <= 0 || ranks == 0) return {};
  std::int64_t tokens = 0;
  if (__builtin_mul_overflow(*per_rank, ranks, &tokens)) return {};
  weights.tokens = tokens;
  weights.tokens_source = "train_state.ntokens_seen";
  return {};
}

// Markers are written in place: what does not parse may still come.
Result<JsonDocument> ReadMarker(CheckpointFiles& files, std::string_view name) {
  const std::string text = TRY(files.ReadSigned(name, kMaxJsonBytes));
  Result<JsonDocument> marker = ParseJson(text, files.PathOf(name));
  if (!marker) marker.error().retryable = true;
  return marker;
}

// OLMo-core writes train/rank0.pt beside its model, .metadata.json last, and config.json after it.
Status TakeOlmoState(CheckpointFiles& files, CheckpointWeights& weights) {
  const std::string path = files.PathOf(".metadata.json");
  const JsonDocument marker = TRY(ReadMarker(files, ".metadata.json"));
  weights.ephemeral = TRY(FindBool(marker, "ephemeral", path)).value_or(false);
  TRY(ReadMarker(files, "config.json"));
  const OpenedArchive train = TRY(OpenArchiveFile(files, "train/rank0.pt"));
  const PickleRef state = train.archive.object.root();
  if (const PickleRef step = FindItem(state, "global_step")) weights.step = step->integer;
  const PickleRef tokens = FindItem(state, "global_train_tokens_seen");
  if (tokens && tokens->integer > 0) {
    weights.tokens = tokens->integer;
    weights.tokens_source = "global_train_tokens_seen";
  }
  return {};
}

// Megatron writes metadata.json after .metadata, and what all ranks share as an object of the
// checkpoint or, in older releases, as common.pt.
Status TakeMegatronCommon(CheckpointFiles& files, DcpReader& reader, CheckpointWeights& weights) {
  const JsonDocument marker = TRY(ReadMarker(files, "metadata.json"));
  const std::string backend =
      TRY(GetString(marker, "sharded_backend", files.PathOf("metadata.json")));
  if (backend != "torch_dist") {
    return Fail(
        ErrorKind::kUnsupported,
        fmt::format("{}: the backend {} is not read", files.PathOf("metadata.json"), backend),
        "save it in the format torch_dist");
  }
  if (const DcpObject* common = reader.metadata().FindObject("common_state/shard_0_1")) {
    const TorchArchive archive = TRY(reader.OpenObject(*common));
    return TakeMegatronState(ElementAt(archive.object.root(), 0), archive.path, weights);
  }
  const OpenedArchive common = TRY(OpenArchiveFile(files, "common.pt"));
  return TakeMegatronState(common.archive.object.root(), common.archive.path, weights);
}

}  // namespace

Result<CheckpointWeights> OpenDistributed(const std::string& directory, std::string_view folder,
                                          const CheckpointOptions& options) {
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  DcpReader reader = TRY(DcpReader::Open(files, std::string(folder), IsWanted));
  const std::vector<DcpTensor>& stored = reader.metadata().tensors;
  const std::string_view prefix = PrefixOf(stored);
  CheckpointWeights state;
  const Naming naming = NamingOf(stored, prefix);
  std::vector<AssembledTensor> tensors;
  for (const DcpTensor& tensor : stored) {
    if (!tensor.name.starts_with(prefix) || tensor.name.starts_with("train_state.")) continue;
    AssembledTensor assembled = TRY(reader.Assemble(tensor));
    assembled.info.name.erase(0, prefix.size());
    tensors.push_back(std::move(assembled));
  }
  if (tensors.empty()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} holds no tensor of a model", files.PathOf(folder)));
  }
  if (naming == Naming::kTorchtitan) TRY(TakeTorchtitanState(reader, state));
  if (naming == Naming::kOlmoCore && folder == "model_and_optim") TRY(TakeOlmoState(files, state));
  if (naming == Naming::kMegatron) TRY(TakeMegatronCommon(files, reader, state));
  TRY(reader.CheckTimes());
  CheckpointWeights weights =
      TRY(FinishWeights(std::move(files), std::move(tensors), "distributed checkpoint", naming));
  weights.step = state.step;
  weights.tokens = state.tokens;
  weights.tokens_source = state.tokens_source;
  weights.ephemeral = state.ephemeral;
  return weights;
}

}  // namespace couplingd
