#include "probes/checkpoint/layouts/deepspeed.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "probes/checkpoint/layouts/stored_tensors.h"

namespace couplingd {
namespace {

constexpr std::string_view kWholeName = "mp_rank_00_model_states.pt";
constexpr std::string_view kPartName = "zero_pp_rank_0_mp_rank_00_model_states.pt";
constexpr std::int64_t kMaxRanks = 65536;

std::string WithoutWrapper(std::string name) {
  if (name.starts_with("module.")) name.erase(0, 7);
  return name;
}

// What one rank holds of the parameters: its flat partitions, one behind the other.
struct RankPartition {
  std::size_t file = 0;
  std::vector<StoredTensor> groups;
  std::int64_t elements = 0;
};

class ZeroMerger {
 public:
  ZeroMerger(CheckpointFiles& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}

  Result<std::vector<AssembledTensor>> Merge(const OpenedArchive& states) {
    const PickleRef root = states.archive.object.root();
    TRY(OpenPartitions());
    const PickleRef groups = FindItem(root, "param_shapes");
    if (!groups) return Invalid(kPartName, "it lacks param_shapes");
    for (const PickleRef group : groups->elements) {
      for (const auto& [name, shape] : group->items) TRY(MergeParameter(name, shape));
    }
    for (const RankPartition& rank : ranks_) {
      if (offset_ > rank.elements) return Invalid(kPartName, "its partitions are too small");
    }
    TRY(TakeBuffers(states));
    TRY(TakeShared(FindItem(root, "shared_params")));
    return std::move(tensors_);
  }

 private:
  std::unexpected<Error> Invalid(std::string_view name, std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}{}: {}", files_.PathOf(folder_), name, cause),
                "the file is damaged, or of another save");
  }

  Status OpenPartitions() {
    std::int64_t ranks = 1;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      const OpenedArchive shard = TRY(OpenShard(rank));
      const PickleRef state = FindItem(shard.archive.object.root(), "optimizer_state_dict");
      const PickleRef count = FindItem(state, "partition_count");
      const PickleRef groups = FindItem(state, "fp32_flat_groups");
      const std::string name = files_.at(shard.file).path.substr(files_.PathOf(folder_).size());
      if (!count || !count->Is(PickleKind::kInt) || !groups) {
        return Invalid(name, "it does not hold the partitions of ZeRO stage 3");
      }
      if (count->integer < 1 || count->integer > kMaxRanks) {
        return Invalid(name, fmt::format("{} partitions", count->integer));
      }
      if (rank > 0 && count->integer != ranks) return Invalid(name, "another number of partitions");
      ranks = count->integer;
      RankPartition partition{shard.file, {}, 0};
      for (const PickleRef group : groups->elements) {
        StoredTensor flat = TRY(LocateTensor(shard.archive, group, "fp32_flat_groups"));
        if (flat.shape.size() != 1 || flat.stride[0] != 1 || flat.dtype != DType::kF32) {
          return Invalid(name, "a partition that is not flat fp32");
        }
        partition.elements += flat.shape[0];
        partition.groups.push_back(std::move(flat));
      }
      ranks_.push_back(std::move(partition));
    }
    return {};
  }

  // Only the optimizer's files of bf16 training have a prefix.
  Result<OpenedArchive> OpenShard(std::int64_t rank) {
    const std::string name = fmt::format("{}zero_pp_rank_{}_mp_rank_00_optim_states.pt",
                                         fp16_prefix_.value_or(""), rank);
    if (fp16_prefix_) return OpenArchiveFile(files_, folder_ + name);
    Result<OpenedArchive> prefixed = OpenArchiveFile(files_, folder_ + "bf16_" + name);
    fp16_prefix_ = prefixed ? "bf16_" : "";
    if (prefixed) return prefixed;
    return OpenArchiveFile(files_, folder_ + name);
  }

  Status MergeParameter(PickleRef name, PickleRef sizes) {
    const auto shape = IntegersOf(sizes);
    if (!name->Is(PickleKind::kString) || !shape) return Invalid(kPartName, "param_shapes");
    std::int64_t elements = 1;
    for (const std::int64_t size : *shape) {
      if (size < 0 || __builtin_mul_overflow(elements, size, &elements)) {
        return Invalid(kPartName, fmt::format("the shape of \"{}\" is impossible", name->text));
      }
    }
    const auto ranks = static_cast<std::int64_t>(ranks_.size());
    const std::int64_t part = elements / ranks + (elements % ranks != 0 ? 1 : 0);
    AssembledTensor tensor;
    tensor.info = DescribeTensor(WithoutWrapper(std::string(name->text)), DType::kF32, *shape,
                                 files_.at(ranks_[0].file).path);
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      const std::int64_t begin = rank * part;
      const std::int64_t count = std::min(part, elements - begin);
      if (count > 0) TRY(AddRuns(ranks_[static_cast<std::size_t>(rank)], begin, count, tensor));
    }
    offset_ += part;
    tensors_.push_back(std::move(tensor));
    return {};
  }

  // Elements [offset_, offset_ + count) of a rank's partitions, which may lie in several.
  Status AddRuns(const RankPartition& rank, std::int64_t target, std::int64_t count,
                 AssembledTensor& tensor) {
    std::int64_t first = offset_;
    for (const StoredTensor& group : rank.groups) {
      const std::int64_t here = std::min(group.shape[0] - first, count);
      if (here > 0) {
        Piece piece;
        piece.span = rank.file;
        piece.source_begin = group.begin + static_cast<std::uint64_t>(first) * sizeof(float);
        piece.target_begin = target;
        piece.shape = {here};
        piece.source_stride = piece.target_stride = {1};
        tensor.pieces.push_back(std::move(piece));
        target += here;
        count -= here;
        first = 0;
      } else {
        first -= group.shape[0];
      }
      if (count == 0) return {};
    }
    return Invalid(kPartName, fmt::format("the partitions end before \"{}\"", tensor.info.name));
  }

  // Buffers are whole in every rank's model states.
  Status TakeBuffers(const OpenedArchive& states) {
    const PickleRef root = states.archive.object.root();
    const PickleRef module = FindItem(root, "module"), names = FindItem(root, "buffer_names");
    if (!names) return {};
    for (const PickleRef name : names->elements) {
      if (!name->Is(PickleKind::kString)) continue;
      const PickleRef value = FindItem(module, name->text);
      if (!IsTorchTensor(value)) continue;
      const StoredTensor stored = TRY(LocateTensor(states.archive, value, name->text));
      tensors_.push_back(WholeTensor(WithoutWrapper(std::string(name->text)), stored, states.file,
                                     files_.at(states.file).path));
    }
    return {};
  }

  // Two names of one parameter.
  Status TakeShared(PickleRef shared) {
    if (!shared) return {};
    std::vector<std::pair<PickleRef, PickleRef>> pairs = shared->items;
    for (const PickleRef pair : shared->elements) {
      if (pair->elements.size() == 2) pairs.emplace_back(pair->elements[0], pair->elements[1]);
    }
    for (const auto& [alias, source] : pairs) {
      if (!alias->Is(PickleKind::kString) || !source->Is(PickleKind::kString)) continue;
      const std::string name = WithoutWrapper(std::string(source->text));
      const auto found = std::ranges::find_if(
          tensors_, [&](const AssembledTensor& tensor) { return tensor.info.name == name; });
      if (found == tensors_.end()) continue;
      AssembledTensor copy = *found;
      copy.info.name = WithoutWrapper(std::string(alias->text));
      tensors_.push_back(std::move(copy));
    }
    return {};
  }

  CheckpointFiles& files_;
  std::string folder_;
  std::optional<std::string> fp16_prefix_;
  std::vector<RankPartition> ranks_;
  std::int64_t offset_ = 0;
  std::vector<AssembledTensor> tensors_;
};

// Parts of a model that was cut in other ways than ZeRO's.
Status RefusePartsOfOthers(const std::vector<std::string>& names, const std::string& path) {
  for (const std::string& name : names) {
    const bool is_stage = name.starts_with("layer_") && name.ends_with("-model_states.pt");
    const bool is_tensor_part = name.ends_with("_model_states.pt") && name.contains("mp_rank_") &&
                                !name.contains("mp_rank_00_");
    if (!is_stage && !is_tensor_part) continue;
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{} holds {}, of {}, whose parts are not merged", path, name,
                            is_stage ? "a pipeline of stages" : "a tensor-parallel model"),
                "convert it with DeepSpeed's ds_to_universal");
  }
  return {};
}

Status RefuseModelParallel(const OpenedArchive& states) {
  const PickleRef ways = FindItem(states.archive.object.root(), "mp_world_size");
  if (!ways || ways->integer <= 1) return {};
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{} is one of {} tensor-parallel parts, which are not merged",
                          states.archive.path, ways->integer),
              "convert it with DeepSpeed's ds_to_universal or zero_to_fp32.py");
}

// A frozen parameter is not in the optimizer's partitions.
Status RefuseFrozen(const OpenedArchive& states) {
  const PickleRef frozen = FindItem(states.archive.object.root(), "frozen_param_shapes");
  if (!frozen || frozen->items.empty()) return {};
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{} holds {} frozen parameters in fragments, which are not merged",
                          states.archive.path, frozen->items.size()),
              "merge it with DeepSpeed's zero_to_fp32.py");
}

}  // namespace

Result<CheckpointWeights> OpenDeepSpeed(const std::string& directory, std::string_view given,
                                        const CheckpointOptions& options) {
  const std::string folder = given.empty() ? "" : std::string(given) + "/";
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  const std::vector<std::string> names = TRY(ListDirectory(JoinPath(directory, given)));
  const bool whole = std::ranges::binary_search(names, kWholeName);
  TRY(RefusePartsOfOthers(names, files.PathOf(folder)));
  const OpenedArchive states =
      TRY(OpenArchiveFile(files, folder + std::string(whole ? kWholeName : kPartName)));
  const PickleRef root = states.archive.object.root();
  TRY(RefuseModelParallel(states));
  std::vector<AssembledTensor> tensors;
  std::string format = "DeepSpeed ZeRO 3, fp32 partitions";
  if (whole) {
    tensors = TRY(WholeTensorsOf(files, states, FindItem(root, "module")));
    for (AssembledTensor& tensor : tensors) {
      tensor.info.name = WithoutWrapper(std::move(tensor.info.name));
    }
    format = "DeepSpeed, weights as trained with";
  } else {
    TRY(RefuseFrozen(states));
    ZeroMerger merger(files, folder);
    tensors = TRY(merger.Merge(states));
  }
  const PickleRef step = FindItem(root, "global_steps");
  CheckpointWeights weights =
      TRY(FinishWeights(std::move(files), std::move(tensors), format, Naming::kHuggingFace));
  if (step && step->Is(PickleKind::kInt)) weights.step = step->integer;
  return weights;
}

}  // namespace couplingd
