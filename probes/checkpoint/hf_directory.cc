#include "probes/checkpoint/hf_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/json.h"
#include "probes/checkpoint/foreign_formats.h"
#include "probes/checkpoint/weight_index.h"

namespace couplingd {
namespace {

constexpr std::string_view kSingleName = "model.safetensors";
constexpr std::string_view kIndexName = "model.safetensors.index.json";

class FileTensorSource final : public TensorSource {
 public:
  FileTensorSource(std::vector<ConfinedFile> files, std::vector<TensorInfo> tensors)
      : files_(std::move(files)), tensors_(std::move(tensors)) {
    std::ranges::sort(files_, {}, &ConfinedFile::path);
    std::ranges::sort(tensors_, {}, &TensorInfo::name);
  }

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

  Status ReadPart(const TensorInfo& tensor, std::uint64_t begin, std::uint64_t size,
                  void* into) const override {
    const auto file = std::ranges::lower_bound(files_, tensor.file, {}, &ConfinedFile::path);
    if (file == files_.end() || file->path != tensor.file || begin > tensor.bytes ||
        size > tensor.bytes - begin) {
      return Fail(ErrorKind::kInternal, fmt::format("tensor \"{}\" has no bytes {} to {}",
                                                    tensor.name, begin, begin + size));
    }
    return ReadConfinedPart(*file, tensor.offset + begin, size, into);
  }

  Status CheckUnchanged() const override {
    for (const ConfinedFile& file : files_) TRY(couplingd::CheckUnchanged(file));
    return {};
  }

 private:
  std::vector<ConfinedFile> files_;  // sorted by path
  std::vector<TensorInfo> tensors_;
};

struct Candidate {
  CheckpointWeights weights;
  std::int64_t newest_mtime_ns = 0;
};

std::unexpected<Error> NotYet(std::string message) {
  return Fail(ErrorKind::kInvalidData, std::move(message),
              "it may still be written; a copy or a deletion that was stopped also looks like this",
              true);
}

// Keeps the tensors that the index places in this shard; each must be there.
Status TakeTensors(SafetensorsFile& shard, const std::set<std::string, std::less<>>& wanted,
                   std::vector<TensorInfo>& into) {
  std::size_t found = 0;
  std::set<std::string, std::less<>> missing = wanted;
  for (TensorInfo& tensor : shard.tensors) {
    if (missing.erase(tensor.name) == 0) continue;
    ++found;
    into.push_back(std::move(tensor));
  }
  if (found == wanted.size()) return {};
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{} lacks tensor \"{}\", which the index places in it", shard.file.path,
                          ToValidUtf8(*missing.begin())),
              "index and shards are of different saves");
}

Result<Candidate> OpenSingle(const std::string& directory, const CheckpointOptions& options) {
  SafetensorsFile file =
      TRY(OpenSafetensors(JoinPath(directory, kSingleName), options.read_roots, options.limits));
  Candidate candidate;
  candidate.newest_mtime_ns = file.file.stamp.mtime_ns;
  candidate.weights.files.push_back({std::string(kSingleName), file.file.stamp, file.header_hash});
  std::vector<ConfinedFile> files;
  files.push_back(std::move(file.file));
  candidate.weights.source =
      std::make_unique<FileTensorSource>(std::move(files), std::move(file.tensors));
  return candidate;
}

Result<Candidate> OpenSharded(const std::string& directory, const CheckpointOptions& options) {
  const std::string index_path = JoinPath(directory, kIndexName);
  ConfinedFile index = TRY(OpenConfined(index_path, options.read_roots));
  const std::string text = TRY(ReadConfined(index, kMaxIndexBytes));
  const WeightMap map = TRY(ParseWeightIndex(text, index_path, ".safetensors"));
  Candidate candidate;
  candidate.weights.files.push_back({std::string(kIndexName), index.stamp, HashHex(text), true});
  std::vector<ConfinedFile> files;
  std::vector<TensorInfo> tensors;
  for (const auto& [name, wanted] : map) {
    Result<SafetensorsFile> shard =
        OpenSafetensors(JoinPath(directory, name), options.read_roots, options.limits);
    if (!shard && shard.error().kind == ErrorKind::kNotFound) {
      return NotYet(fmt::format("{} names the shard {}, which is not there", index_path, name));
    }
    if (!shard) return std::unexpected(std::move(shard).error());
    TRY(TakeTensors(*shard, wanted, tensors));
    const FileStamp& stamp = shard->file.stamp;
    candidate.newest_mtime_ns = std::max(candidate.newest_mtime_ns, stamp.mtime_ns);
    candidate.weights.files.push_back({name, stamp, shard->header_hash});
    files.push_back(std::move(shard->file));
  }
  files.push_back(std::move(index));
  std::ranges::sort(candidate.weights.files, {}, &WeightsFile::name);
  candidate.weights.source =
      std::make_unique<FileTensorSource>(std::move(files), std::move(tensors));
  return candidate;
}

Result<CheckpointWeights> WeightsOf(Result<Candidate> candidate) {
  if (!candidate) return std::unexpected(std::move(candidate).error());
  return std::move(candidate->weights);
}

}  // namespace

Result<CheckpointWeights> OpenHfDirectory(const std::string& directory,
                                          const CheckpointOptions& options) {
  CheckpointOptions confined = options;
  confined.read_roots.push_back(TRY(RealPath(directory)));
  const std::vector<std::string> names = TRY(ListDirectory(directory));
  const auto has = [&](std::string_view name) { return std::ranges::binary_search(names, name); };
  if (!has(kSingleName) && !has(kIndexName)) {
    return std::unexpected(ExplainMissingWeights(directory, names));
  }
  if (!has(kIndexName)) return WeightsOf(OpenSingle(directory, confined));
  Result<Candidate> sharded = OpenSharded(directory, confined);
  if (!has(kSingleName)) return WeightsOf(std::move(sharded));
  Result<Candidate> single = OpenSingle(directory, confined);
  if (!single) return WeightsOf(std::move(sharded));
  if (!sharded) return WeightsOf(std::move(single));
  return WeightsOf(single->newest_mtime_ns > sharded->newest_mtime_ns ? std::move(single)
                                                                      : std::move(sharded));
}

}  // namespace couplingd
