#include "probes/checkpoint/layouts/torch_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/json.h"
#include "probes/checkpoint/layouts/stored_tensors.h"
#include "probes/checkpoint/weight_index.h"

namespace couplingd {
namespace {

// Keeps the tensors that the index places in this shard; each must be there.
Status TakeTensors(std::vector<AssembledTensor> shard, const std::string& path,
                   const std::set<std::string, std::less<>>& wanted,
                   std::vector<AssembledTensor>& into) {
  std::set<std::string, std::less<>> missing = wanted;
  for (AssembledTensor& tensor : shard) {
    if (missing.erase(tensor.info.name) > 0) into.push_back(std::move(tensor));
  }
  if (missing.empty()) return {};
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{} lacks tensor \"{}\", which the index places in it", path,
                          ToValidUtf8(*missing.begin())),
              "index and shards are of different saves");
}

}  // namespace

Result<CheckpointWeights> OpenTorchDirectory(const std::string& directory,
                                             const CheckpointOptions& options) {
  CheckpointFiles files = TRY(CheckpointFiles::In(directory, options));
  const std::vector<std::string> names = TRY(ListDirectory(directory));
  std::vector<AssembledTensor> tensors;
  if (std::ranges::binary_search(names, kTorchIndexName)) {
    const std::string text = TRY(files.ReadSigned(kTorchIndexName, kMaxIndexBytes));
    const WeightMap map = TRY(ParseWeightIndex(text, files.PathOf(kTorchIndexName), ".bin"));
    for (const auto& [name, wanted] : map) {
      const OpenedArchive shard = TRY(OpenArchiveFile(files, name));
      std::vector<AssembledTensor> all =
          TRY(WholeTensorsOf(files, shard, shard.archive.object.root()));
      TRY(TakeTensors(std::move(all), files.PathOf(name), wanted, tensors));
    }
  } else {
    const OpenedArchive single = TRY(OpenArchiveFile(files, kTorchSingleName));
    tensors = TRY(WholeTensorsOf(files, single, single.archive.object.root()));
  }
  return FinishWeights(std::move(files), std::move(tensors), "pytorch_model.bin",
                       Naming::kHuggingFace);
}

}  // namespace couplingd
