#include "probes/checkpoint/layouts/stored_tensors.h"

#include <fmt/format.h>

#include <utility>

namespace couplingd {
namespace {

constexpr std::uint64_t kMostShared = 16;

// A few bytes could stand for any number of tensors.
Status RefuseEndlessSharing(const CheckpointFiles& files,
                            const std::vector<AssembledTensor>& tensors) {
  std::uint64_t held = 0, wanted = 0;
  for (std::size_t i = 0; i < files.count(); ++i) held += files.at(i).stamp.size;
  for (const AssembledTensor& tensor : tensors) {
    if (__builtin_add_overflow(wanted, tensor.info.bytes, &wanted)) wanted = ~std::uint64_t{0};
    if (wanted / kMostShared > held) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: its tensors are more than {} times as large as its files",
                              files.directory(), kMostShared),
                  "the checkpoint is damaged, or made to exhaust who reads it");
    }
  }
  return {};
}

}  // namespace

TensorInfo DescribeTensor(std::string name, DType dtype, std::vector<std::int64_t> shape,
                          const std::string& path) {
  TensorInfo info;
  info.name = std::move(name);
  info.dtype = dtype;
  info.shape = std::move(shape);
  info.file = path;
  info.bytes =
      static_cast<std::uint64_t>(info.Elements()) * static_cast<std::uint64_t>(BitsOf(dtype)) / 8;
  return info;
}

AssembledTensor WholeTensor(std::string name, const StoredTensor& stored, std::size_t file,
                            const std::string& path) {
  AssembledTensor tensor;
  tensor.info = DescribeTensor(std::move(name), stored.dtype, stored.shape, path);
  tensor.pieces.push_back(WholePiece(file, stored.begin, stored.shape, stored.stride));
  return tensor;
}

Result<OpenedArchive> OpenArchiveFile(CheckpointFiles& files, std::string_view name) {
  OpenedArchive opened;
  opened.file = TRY(files.Open(name));
  opened.archive = TRY(OpenTorchArchive(files.at(opened.file)));
  files.Sign(opened.file, opened.archive.header_hash);
  return opened;
}

Result<std::vector<AssembledTensor>> WholeTensorsOf(const CheckpointFiles& files,
                                                    const OpenedArchive& opened,
                                                    PickleRef mapping) {
  const ConfinedFile& file = files.at(opened.file);
  std::vector<AssembledTensor> tensors;
  for (NamedStoredTensor& named : TRY(TensorsOf(opened.archive, mapping, file.stamp.size))) {
    tensors.push_back(WholeTensor(std::move(named.name), named.tensor, opened.file, file.path));
  }
  return tensors;
}

Result<CheckpointWeights> FinishWeights(CheckpointFiles files, std::vector<AssembledTensor> tensors,
                                        std::string format, Naming naming) {
  TRY(RefuseEndlessSharing(files, tensors));
  CheckpointWeights weights;
  weights.files = files.TakeSigned();
  weights.format = std::move(format);
  weights.naming = naming;
  for (AssembledTensor& tensor : tensors) {
    if (!tensor.pieces.empty()) tensor.info.offset = tensor.pieces.front().source_begin;
  }
  weights.source = TRY(Assemble(SpansOfFiles(files.TakeFiles()), std::move(tensors)));
  return weights;
}

}  // namespace couplingd
