#include "probes/checkpoint/layouts/nanotron.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/numbers.h"
#include "probes/checkpoint/assembly/assembled_source.h"
#include "probes/checkpoint/checkpoint_files.h"
#include "probes/checkpoint/layouts/stored_tensors.h"

namespace couplingd {
namespace {

constexpr std::string_view kConfigName = "model_config.json";  // written last
constexpr std::string_view kMetadataName = "checkpoint_metadata.json";
constexpr std::string_view kData = "data";
constexpr std::size_t kMaxJsonBytes = 1u << 20;
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxFiles = 65536 / 2;

std::unexpected<Error> Invalid(const std::string& path, std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", path, cause),
              "the files are of different saves, or of another release of nanotron");
}

std::unexpected<Error> NotYet(std::string message) {
  return Fail(ErrorKind::kInvalidData, std::move(message),
              "it may still be written; a copy or a deletion that was stopped also looks like this",
              true);
}

// "model_weight_pp-rank-0-of-1_tp-rank-1-of-2.safetensors" in folder "model/lm_head/pp_block".
struct PartName {
  std::string parameter;  // "model.lm_head.pp_block.weight", without the folder that holds all
  std::int64_t rank = 0, ways = 1;
};

// Takes `beginning` and the number behind it off the text.
std::optional<std::int64_t> TakeNumber(std::string_view& text, std::string_view beginning) {
  if (!text.starts_with(beginning)) return std::nullopt;
  text.remove_prefix(beginning.size());
  return TakeDigits(text);
}

std::optional<PartName> ParsePartName(std::string_view path) {
  constexpr std::string_view kFolder = "model/", kEnding = ".safetensors", kStem = "model_";
  if (!path.starts_with(kFolder) || !path.ends_with(kEnding)) return std::nullopt;
  path.remove_prefix(kFolder.size());
  path.remove_suffix(kEnding.size());
  const std::size_t slash = path.rfind('/');
  std::string modules(slash == path.npos ? "" : path.substr(0, slash + 1));
  std::string_view name = slash == path.npos ? path : path.substr(slash + 1);
  if (!name.starts_with(kStem)) return std::nullopt;
  name.remove_prefix(kStem.size());
  const std::size_t kind = std::min(name.find("_pp-rank-"), name.size());
  PartName part;
  std::ranges::replace(modules, '/', '.');
  part.parameter = modules + std::string(name.substr(0, kind));
  name.remove_prefix(kind);
  if (name.empty()) return part;
  const auto stage = TakeNumber(name, "_pp-rank-"), stages = TakeNumber(name, "-of-");
  const auto rank = TakeNumber(name, "_tp-rank-"), ways = TakeNumber(name, "-of-");
  if (!stage || !stages || !rank || !ways || !name.empty() || *rank >= *ways) return std::nullopt;
  part.rank = *rank;
  part.ways = *ways;
  return part;
}

// A dimension of a slice: [begin, begin + count).
struct Range {
  std::int64_t begin = 0, count = 0;
};

// "0,8,None|None,None,None" of a tensor of this shape.
Result<std::vector<Range>> ParseSlices(std::string_view text,
                                       const std::vector<std::int64_t>& shape,
                                       const std::string& path) {
  const auto bad = [&] {
    return Invalid(path, fmt::format("\"{}\" is no slice of a tensor of {} dimensions",
                                     ToValidUtf8(text.substr(0, 100)), shape.size()));
  };
  std::vector<Range> ranges;
  std::string_view rest = text;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    std::int64_t numbers[] = {0, shape[axis], 1};
    for (int i = 0; i < 3; ++i) {
      if (rest.starts_with("None")) {
        rest.remove_prefix(4);
      } else if (const auto number = TakeNumber(rest, "")) {
        numbers[i] = *number;
      } else {
        return bad();
      }
      if (i == 2) break;
      if (!rest.starts_with(',')) return bad();
      rest.remove_prefix(1);
    }
    if (numbers[2] != 1) {
      return Fail(ErrorKind::kUnsupported, fmt::format("{} holds a slice with a step", path));
    }
    if (numbers[0] > numbers[1] || numbers[1] > shape[axis]) return bad();
    ranges.push_back({numbers[0], numbers[1] - numbers[0]});
    if (axis + 1 == shape.size()) break;
    if (!rest.starts_with('|')) return bad();
    rest.remove_prefix(1);
  }
  if (!rest.empty()) return bad();
  return ranges;
}

// "(96, 16)" or "(96,)"; with NumPy 2 also "(np.int64(96), 16)".
std::optional<std::vector<std::int64_t>> ParseShape(std::string_view text) {
  std::vector<std::int64_t> shape;
  if (!text.starts_with('(') || !text.ends_with(')')) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  constexpr std::string_view kNumpy = "np.int64(";
  while (!text.empty()) {
    const bool is_numpy = text.starts_with(kNumpy);
    const auto size = TakeNumber(text, is_numpy ? kNumpy : "");
    if (!size || (is_numpy && !text.starts_with(')'))) return std::nullopt;
    if (is_numpy) text.remove_prefix(1);
    shape.push_back(*size);
    if (text.starts_with(',')) text.remove_prefix(1);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
  return shape;
}

bool Overlap(const std::vector<Range>& a, const std::vector<Range>& b) {
  for (std::size_t axis = 0; axis < a.size(); ++axis) {
    if (a[axis].begin + a[axis].count <= b[axis].begin) return false;
    if (b[axis].begin + b[axis].count <= a[axis].begin) return false;
  }
  return true;
}

struct Part {
  PartName name;
  std::size_t file = 0;
};

class NanotronReader {
 public:
  NanotronReader(CheckpointFiles& files, const SafetensorsLimits& limits)
      : files_(files), limits_(limits) {}

  Result<std::vector<AssembledTensor>> Read() {
    TRY(FindFiles("model", 0));
    if (paths_.empty()) return Invalid(files_.PathOf("model"), "holds no weights");
    for (const std::string& path : paths_) {
      const auto name = ParsePartName(path);
      if (!name) {
        return Fail(ErrorKind::kUnsupported,
                    fmt::format("{} is not named as nanotron names a parameter without experts",
                                files_.PathOf(path)));
      }
      parts_[name->parameter].push_back({*name, TRY(files_.Open(path))});
    }
    TRY(CheckTimes());
    for (auto& [parameter, parts] : parts_) TRY(Join(parameter, parts));
    return std::move(tensors_);
  }

 private:
  Status FindFiles(const std::string& folder, int depth) {
    if (depth > kMaxDepth) return Invalid(files_.PathOf(folder), "folders are nested too deeply");
    const std::vector<std::string> names = TRY(ListDirectory(files_.PathOf(folder)));
    if (names.empty()) return NotYet(fmt::format("{} is empty", files_.PathOf(folder)));
    for (const std::string& name : names) {
      std::string path = JoinPath(folder, name);
      struct stat status {};
      if (::lstat(files_.PathOf(path).c_str(), &status) != 0) continue;
      if (S_ISDIR(status.st_mode)) {
        TRY(FindFiles(path, depth + 1));
      } else {
        paths_.push_back(std::move(path));
      }
      if (paths_.size() > kMaxFiles) return Invalid(files_.PathOf("model"), "too many files");
    }
    return {};
  }

  // A save over an older checkpoint writes the configuration last: while some files are older than
  // it and some newer, they are of two saves.
  Status CheckTimes() {
    const std::int64_t marked = files_.at(TRY(files_.Open(kConfigName))).stamp.mtime_ns;
    const ConfinedFile *older = nullptr, *newer = nullptr;
    for (const auto& [parameter, parts] : parts_) {
      for (const Part& part : parts) {
        const ConfinedFile& file = files_.at(part.file);
        (file.stamp.mtime_ns > marked ? newer : older) = &file;
      }
    }
    if (!older || !newer) return {};
    return NotYet(fmt::format("{} was written after {}, and {} before it", newer->path, kConfigName,
                              older->path));
  }

  Status Join(const std::string& parameter, std::vector<Part>& parts) {
    std::ranges::sort(parts, {}, [](const Part& part) { return part.name.rank; });
    const std::int64_t ways = parts.front().name.ways;
    for (std::int64_t rank = 0; rank < ways; ++rank) {
      const auto at = static_cast<std::size_t>(rank);
      if (at < parts.size() && parts[at].name.rank == rank && parts[at].name.ways == ways) continue;
      return NotYet(fmt::format("{}: tensor-parallel rank {} of {} of {} is missing",
                                files_.directory(), rank, ways, parameter));
    }
    if (std::ssize(parts) != ways) {
      return Invalid(files_.at(parts.back().file).path, "is there twice");
    }
    AssembledTensor tensor;
    std::vector<std::vector<Range>> filled;
    for (const Part& part : parts) TRY(AddPart(parameter, part, tensor, filled));
    tensors_.push_back(std::move(tensor));
    return {};
  }

  Status AddPart(const std::string& parameter, const Part& part, AssembledTensor& tensor,
                 std::vector<std::vector<Range>>& filled) {
    const ConfinedFile& file = files_.at(part.file);
    const SafetensorsHeader header = TRY(ReadSafetensorsHeader(file, limits_));
    files_.Sign(part.file, header.hash);
    const auto data = std::ranges::find(header.tensors, kData, &TensorInfo::name);
    if (data == header.tensors.end()) return Invalid(file.path, "holds no tensor \"data\"");
    const auto slices = header.metadata.find("local_global_slices_pairs");
    const auto whole = header.metadata.find("unsharded_shape");
    if (slices == header.metadata.end() || whole == header.metadata.end()) {
      if (part.name.ways != 1) return Invalid(file.path, "does not say which part it is");
      tensor.info = DescribeTensor(parameter, data->dtype, data->shape, file.path);
      tensor.pieces.push_back(
          WholePiece(part.file, data->offset, data->shape, RowMajorStrides(data->shape)));
      return {};
    }
    const auto shape = ParseShape(whole->second);
    if (!shape || shape->size() != data->shape.size()) {
      return Invalid(file.path, fmt::format("unsharded_shape is \"{}\"",
                                            ToValidUtf8(whole->second.substr(0, 100))));
    }
    if (filled.empty()) tensor.info = DescribeTensor(parameter, data->dtype, *shape, file.path);
    if (tensor.info.shape != *shape || tensor.info.dtype != data->dtype) {
      return Invalid(file.path, "has another shape or type than the other parts");
    }
    std::string_view rest = slices->second;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      TRY(AddSlices(rest.substr(0, end), *data, part.file, tensor, filled));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {};
  }

  // "LOCAL#GLOBAL": where a box of this part lies in the whole.
  Status AddSlices(std::string_view pair, const TensorInfo& data, std::size_t file,
                   AssembledTensor& tensor, std::vector<std::vector<Range>>& filled) {
    const std::string& path = files_.at(file).path;
    const std::size_t hash = std::min(pair.find('#'), pair.size());
    const auto local = TRY(ParseSlices(pair.substr(0, hash), data.shape, path));
    const auto global =
        TRY(ParseSlices(pair.substr(std::min(hash + 1, pair.size())), tensor.info.shape, path));
    Piece piece{.span = file, .source_begin = data.offset};
    piece.source_stride = RowMajorStrides(data.shape);
    piece.target_stride = RowMajorStrides(tensor.info.shape);
    const std::uint64_t item = static_cast<std::uint64_t>(BitsOf(data.dtype)) / 8;
    for (std::size_t axis = 0; axis < local.size(); ++axis) {
      if (local[axis].count != global[axis].count) {
        return Invalid(path, "a slice is not as large in its part as in the whole");
      }
      piece.shape.push_back(local[axis].count);
      piece.source_begin +=
          static_cast<std::uint64_t>(local[axis].begin * piece.source_stride[axis]) * item;
      piece.target_begin += global[axis].begin * piece.target_stride[axis];
    }
    for (const std::vector<Range>& other : filled) {
      if (Overlap(other, global)) return Invalid(path, "its slices overlap those of another part");
    }
    filled.push_back(global);
    tensor.pieces.push_back(std::move(piece));
    return {};
  }

  CheckpointFiles& files_;
  const SafetensorsLimits& limits_;
  std::vector<std::string> paths_;
  std::map<std::string, std::vector<Part>> parts_;  // by parameter
  std::vector<AssembledTensor> tensors_;
};

}  // namespace

Result<CheckpointWeights> OpenNanotron(const std::string& directory,
                                       const CheckpointOptions& options) {
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  const std::string config_path = files.PathOf(kConfigName);
  const JsonDocument config =
      TRY(ParseJson(TRY(files.ReadSigned(kConfigName, kMaxJsonBytes)), config_path));
  const std::string metadata_path = files.PathOf(kMetadataName);
  const JsonDocument metadata =
      TRY(ParseJson(TRY(files.ReadSigned(kMetadataName, kMaxJsonBytes)), metadata_path));
  std::vector<AssembledTensor> tensors = TRY(NanotronReader(files, options.limits).Read());
  // Releases that know the field may turn halves of a head, those before it turn neighbours.
  const bool turns_neighbours =
      TRY(FindBool(config, "rope_interleaved", config_path)).value_or(true);
  CheckpointWeights weights =
      TRY(FinishWeights(std::move(files), std::move(tensors), "nanotron (safetensors)",
                        turns_neighbours ? Naming::kNanotron : Naming::kNanotronHalves));
  const JsonValue* metas = FindMember(metadata, "metas");
  if (metas == nullptr || !metas->IsObject()) return weights;
  weights.step = TRY(FindInt(*metas, "last_train_step", metadata_path));
  weights.tokens = TRY(FindInt(*metas, "consumed_tokens_total", metadata_path));
  if (weights.tokens) weights.tokens_source = "metas.consumed_tokens_total";
  return weights;
}

}  // namespace couplingd
