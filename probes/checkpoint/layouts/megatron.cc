#include "probes/checkpoint/layouts/megatron.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/numbers.h"
#include "probes/checkpoint/layouts/stored_tensors.h"

namespace couplingd {
namespace {

constexpr std::string_view kStateName = "model_optim_rng.pt";
constexpr std::string_view kLayers = "decoder.layers.";
constexpr std::int64_t kMaxRanks = 4096;

// "mp_rank_01_003": tensor rank 1, pipeline stage 3.
struct RankFolder {
  std::int64_t tensor = 0, stage = 0;
  std::string name;
};

std::optional<RankFolder> ParseRankFolder(const std::string& name) {
  RankFolder folder;
  folder.name = name;
  std::string_view rest = name;
  rest.remove_prefix(std::string_view("mp_rank_").size());
  for (std::int64_t* rank : {&folder.tensor, &folder.stage}) {
    const auto number = TakeDigits(rest);
    if (!number) return std::nullopt;
    *rank = *number;
    if (rest.empty()) return folder;
    if (rest.front() != '_') return std::nullopt;
    rest.remove_prefix(1);
  }
  return std::nullopt;  // a third number: experts
}

std::int64_t ArgumentOr(PickleRef arguments, std::string_view name, std::int64_t otherwise) {
  const PickleRef value = FindAttribute(arguments, name);
  const bool is_number = value && (value->Is(PickleKind::kInt) || value->Is(PickleKind::kBool));
  return is_number ? value->integer : otherwise;
}

struct RefusedOption {
  std::string_view name;  // of an argument that is off, or has this value, where nothing is refused
  std::string_view otherwise;
  std::string_view why;
};

// Options under which the same tensors mean another computation.
constexpr RefusedOption kRefusedOptions[] = {
    {"layernorm_zero_centered_gamma", "", "its layer norms store their weight minus one"},
    {"apply_layernorm_1p", "", "its layer norms store their weight minus one"},
    {"rotary_interleaved", "", "its rotary positions turn neighbouring elements of a head"},
    {"qk_l2_norm", "", "its queries and keys are divided by their length"},
    {"multi_latent_attention", "", "its attention keeps latent keys and values"},
    {"attention_output_gate", "", "its attention has a gate"},
    {"apply_residual_connection_post_layernorm", "", "its residual starts behind the layer norm"},
    {"moe_router_enable_expert_bias", "", "its router chooses experts with a bias"},
    {"moe_router_score_function", "softmax", "its router does not score with a softmax"},
    {"softmax_type", "vanilla", "its attention's softmax has another term"},
};

Status RefuseOtherArithmetic(PickleRef arguments, const std::string& path) {
  for (const RefusedOption& option : kRefusedOptions) {
    const PickleRef value = FindAttribute(arguments, option.name);
    const bool is_text = value && value->Is(PickleKind::kString);
    if (is_text ? value->text == option.otherwise : ArgumentOr(arguments, option.name, 0) == 0) {
      continue;
    }
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: {} ({} of its args)", path, option.why, option.name),
                "convert the checkpoint to Hugging Face's format");
  }
  return {};
}

// How the tensor-parallel parts of a matrix lie.
enum class Parallel { kReplicated, kRows, kGateUpRows, kColumns };

Parallel ParallelOf(std::string_view name, bool gated) {
  const auto ends = [&](std::initializer_list<std::string_view> endings) {
    return std::ranges::any_of(endings, [&](std::string_view end) { return name.ends_with(end); });
  };
  if (ends({"linear_fc1.weight", "linear_fc1.bias"})) {
    return gated ? Parallel::kGateUpRows : Parallel::kRows;
  }
  if (ends({"word_embeddings.weight", "output_layer.weight", "linear_qkv.weight",
            "linear_qkv.bias"})) {
    return Parallel::kRows;
  }
  if (ends({"linear_proj.weight", "linear_fc2.weight"})) return Parallel::kColumns;
  return Parallel::kReplicated;
}

struct RankTensor {
  StoredTensor stored;
  std::size_t file = 0;
};

class MegatronMerger {
 public:
  explicit MegatronMerger(CheckpointFiles& files) : files_(files) {}

  Result<std::vector<AssembledTensor>> Merge(const std::vector<RankFolder>& folders,
                                             CheckpointWeights& state) {
    std::int64_t first_layer = 0;
    for (std::int64_t stage = 0; stage < stages_; ++stage) {
      std::vector<std::map<std::string, RankTensor>> ranks;
      for (std::int64_t rank = 0; rank < ways_; ++rank) {
        ranks.push_back(TRY(OpenRank(folders, rank, stage, state)));
      }
      TRY(MergeStage(ranks, first_layer));
    }
    return std::move(tensors_);
  }

 private:
  static std::unexpected<Error> Invalid(const std::string& path, std::string_view cause) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", path, cause),
                "the files are of different saves, or of another release of Megatron-LM");
  }

  Result<std::map<std::string, RankTensor>> OpenRank(const std::vector<RankFolder>& folders,
                                                     std::int64_t rank, std::int64_t stage,
                                                     CheckpointWeights& state) {
    const auto folder = std::ranges::find_if(
        folders, [&](const RankFolder& f) { return f.tensor == rank && f.stage == stage; });
    if (folder == folders.end()) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{} lacks tensor-parallel rank {} of pipeline stage {}; it was "
                              "trained with {} x {}",
                              files_.directory(), rank, stage, ways_, stages_),
                  "it may still be written, or was copied in part", true);
    }
    const OpenedArchive opened =
        TRY(OpenArchiveFile(files_, fmt::format("{}/{}", folder->name, kStateName)));
    const PickleRef root = opened.archive.object.root();
    if (rank == 0 && stage == 0) TRY(TakeArguments(root, opened.archive.path, state));
    if (FindItem(root, "model0")) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{} holds a virtual pipeline", opened.archive.path),
                  "save it in the format torch_dist");
    }
    std::map<std::string, RankTensor> tensors;
    for (NamedStoredTensor& named : TRY(TensorsOf(opened.archive, FindItem(root, "model"),
                                                  files_.at(opened.file).stamp.size))) {
      if (named.name.contains("_extra_state")) continue;
      tensors.emplace(std::move(named.name), RankTensor{std::move(named.tensor), opened.file});
    }
    return tensors;
  }

  Status TakeArguments(PickleRef root, const std::string& path, CheckpointWeights& state) {
    const PickleRef arguments = FindItem(root, "args");
    ways_ = ArgumentOr(arguments, "tensor_model_parallel_size", 1);
    stages_ = ArgumentOr(arguments, "pipeline_model_parallel_size", 1);
    gated_ = ArgumentOr(arguments, "swiglu", 0) != 0;
    if (ways_ < 1 || stages_ < 1 || ways_ > kMaxRanks || stages_ > kMaxRanks) {
      return Invalid(path, fmt::format("{} x {} ranks", ways_, stages_));
    }
    if (ArgumentOr(arguments, "expert_model_parallel_size", 1) > 1) {
      return Fail(
          ErrorKind::kUnsupported,
          fmt::format("{} is of an expert-parallel model, whose parts are not merged", path),
          "save it in the format torch_dist");
    }
    const PickleRef version = FindItem(root, "checkpoint_version");
    if (version && version->Is(PickleKind::kFloat) && version->number < 2.0) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{} is of checkpoint version {}, whose queries, keys and values lie "
                              "in another order",
                              path, version->number),
                  "load and save it with a newer Megatron-LM");
    }
    return TakeMegatronState(root, path, state);
  }

  Status MergeStage(const std::vector<std::map<std::string, RankTensor>>& ranks,
                    std::int64_t& first_layer) {
    std::int64_t layers = 0;
    for (const auto& [name, first] : ranks[0]) {
      std::string global = name;
      if (name.starts_with(kLayers)) {
        std::string_view rest = std::string_view(name).substr(kLayers.size());
        const auto layer = TakeDigits(rest);
        if (!layer) return Invalid(name, "a layer without a number");
        layers = std::max(layers, *layer + 1);
        global = fmt::format("{}{}{}", kLayers, first_layer + *layer, rest);
      }
      if (!names_.insert(global).second) continue;  // the last stage's copy of the embedding
      TRY(MergeTensor(name, std::move(global), ranks));
    }
    first_layer += layers;
    return {};
  }

  Status MergeTensor(const std::string& name, std::string global,
                     const std::vector<std::map<std::string, RankTensor>>& ranks) {
    const RankTensor& first = ranks[0].at(name);
    const Parallel parallel = ParallelOf(name, gated_);
    const std::string& path = files_.at(first.file).path;
    if (parallel == Parallel::kReplicated || ranks.size() == 1) {
      tensors_.push_back(WholeTensor(std::move(global), first.stored, first.file, path));
      return {};
    }
    const std::size_t axis = parallel == Parallel::kColumns ? 1 : 0;
    const std::int64_t halves = parallel == Parallel::kGateUpRows ? 2 : 1;
    std::vector<std::int64_t> shape = first.stored.shape;
    if (shape.size() <= axis || shape[axis] % halves != 0) {
      return Invalid(path, fmt::format("tensor \"{}\" cannot be merged", name));
    }
    const std::int64_t part = shape[axis] / halves;
    shape[axis] *= static_cast<std::int64_t>(ranks.size());
    AssembledTensor tensor;
    tensor.info = DescribeTensor(std::move(global), first.stored.dtype, shape, path);
    const std::vector<std::int64_t> strides = RowMajorStrides(shape);
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      const auto found = ranks[rank].find(name);
      if (found == ranks[rank].end() || found->second.stored.shape != first.stored.shape ||
          found->second.stored.dtype != first.stored.dtype) {
        return Invalid(path, fmt::format("tensor \"{}\" is another one in rank {}", name, rank));
      }
      for (std::int64_t half = 0; half < halves; ++half) {
        const StoredTensor& stored = found->second.stored;
        const std::uint64_t item = static_cast<std::uint64_t>(BitsOf(stored.dtype)) / 8;
        Piece piece;
        piece.span = found->second.file;
        piece.source_begin =
            stored.begin + static_cast<std::uint64_t>(half * part * stored.stride[axis]) * item;
        piece.shape = stored.shape;
        piece.shape[axis] = part;
        piece.source_stride = stored.stride;
        piece.target_stride = strides;
        const auto ranks_before =
            static_cast<std::int64_t>(half * std::ssize(ranks)) + static_cast<std::int64_t>(rank);
        piece.target_begin = ranks_before * part * strides[axis];
        tensor.pieces.push_back(std::move(piece));
      }
    }
    tensors_.push_back(std::move(tensor));
    return {};
  }

  CheckpointFiles& files_;
  std::int64_t ways_ = 1, stages_ = 1;
  bool gated_ = false;
  std::set<std::string> names_;
  std::vector<AssembledTensor> tensors_;
};

}  // namespace

Status TakeMegatronState(PickleRef common, const std::string& path, CheckpointWeights& weights) {
  const PickleRef arguments = FindItem(common, "args");
  TRY(RefuseOtherArithmetic(arguments, path));
  const PickleRef iteration = FindItem(common, "iteration");
  if (iteration && iteration->Is(PickleKind::kInt)) weights.step = iteration->integer;
  const std::int64_t samples = ArgumentOr(arguments, "consumed_train_samples", 0);
  const std::int64_t length = ArgumentOr(arguments, "seq_length", 0);
  std::int64_t tokens = 0;
  if (samples > 0 && length > 0 && !__builtin_mul_overflow(samples, length, &tokens)) {
    weights.tokens = tokens;
    weights.tokens_source = "consumed_train_samples x seq_length";
  }
  return {};
}

Result<CheckpointWeights> OpenMegatron(const std::string& directory,
                                       const CheckpointOptions& options) {
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  std::vector<RankFolder> folders;
  for (const std::string& name : TRY(ListDirectory(directory))) {
    if (!name.starts_with("mp_rank_")) continue;
    const auto folder = ParseRankFolder(name);
    if (!folder) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{} holds {}, a part of an expert-parallel model", directory, name),
                  "save it in the format torch_dist");
    }
    folders.push_back(*folder);
  }
  CheckpointWeights state;
  MegatronMerger merger(files);
  std::vector<AssembledTensor> tensors = TRY(merger.Merge(folders, state));
  CheckpointWeights weights =
      TRY(FinishWeights(std::move(files), std::move(tensors), "Megatron-LM", Naming::kMegatron));
  weights.step = state.step;
  weights.tokens = state.tokens;
  weights.tokens_source = state.tokens_source;
  return weights;
}

}  // namespace couplingd
