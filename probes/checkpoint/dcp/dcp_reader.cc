#include "probes/checkpoint/dcp/dcp_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>

#include "base/hash.h"
#include "probes/checkpoint/layouts/stored_tensors.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxMetadataBytes = 256u << 20;
constexpr std::string_view kMetadataName = ".metadata";

Result<std::int64_t> IntegerOf(const TorchArchive& archive, const ConfinedFile& file,
                               std::string_view name) {
  const PickleRef root = archive.object.root();
  if (root->Is(PickleKind::kInt)) return root->integer;
  if (IsTorchTensor(root)) {
    const StoredTensor tensor = TRY(LocateTensor(archive, root, name));
    std::array<unsigned char, 8> bytes{};
    const int size = BitsOf(tensor.dtype) / 8;
    if ((tensor.dtype == DType::kI64 || tensor.dtype == DType::kI32) &&
        RowMajorStrides(tensor.shape).size() <= 1) {
      TRY(ReadConfinedPart(file, tensor.begin, static_cast<std::uint64_t>(size), bytes.data()));
      std::int64_t value = 0;
      std::int32_t narrow = 0;
      std::memcpy(&value, bytes.data(), sizeof value);
      std::memcpy(&narrow, bytes.data(), sizeof narrow);
      return tensor.dtype == DType::kI64 ? value : narrow;
    }
  }
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: \"{}\" is no integer", archive.path, name));
}

}  // namespace

Result<DcpReader> DcpReader::Open(CheckpointFiles& files, std::string folder,
                                  bool (*wanted)(std::string_view)) {
  if (!folder.empty()) folder += '/';
  const std::string name = folder + std::string(kMetadataName);
  DcpReader reader(files, std::move(folder));
  const std::size_t file = TRY(files.Open(name));
  auto text =
      std::make_shared<const std::string>(TRY(ReadConfined(files.at(file), kMaxMetadataBytes)));
  files.Sign(file, HashHex(*text), true);
  reader.metadata_mtime_ns_ = files.at(file).stamp.mtime_ns;
  reader.metadata_ = TRY(ParseDcpMetadata(std::move(text), files.PathOf(name), wanted));
  return reader;
}

Result<std::size_t> DcpReader::OpenPlace(const DcpPlace& place) {
  const std::size_t file = TRY(files_->Open(folder_ + place.file));
  const ConfinedFile& opened = files_->at(file);
  files_->Sign(file, "");
  (opened.stamp.mtime_ns > metadata_mtime_ns_ ? newer_ : older_) = opened.path;
  if (place.begin > opened.stamp.size || place.size > opened.stamp.size - place.begin) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} is truncated: {} bytes, {} are needed", opened.path,
                            opened.stamp.size, place.begin + place.size),
                "the file is still being written, or its writer was stopped", true);
  }
  return file;
}

Result<StoredTensor> DcpReader::LocateChunk(const DcpTensor& tensor, const DcpChunk& chunk,
                                            std::size_t& file) {
  file = TRY(OpenPlace(chunk.place));
  const ConfinedFile& opened = files_->at(file);
  const TorchArchive archive =
      TRY(OpenTorchArchive(opened, FileSlice{chunk.place.begin, chunk.place.size}));
  StoredTensor stored = TRY(LocateTensor(archive, archive.object.root(), tensor.name));
  if (stored.shape != chunk.sizes || stored.dtype != tensor.dtype) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("{}: the part of \"{}\" is {} [{}], its metadata say {} [{}]", opened.path,
                    tensor.name, ToString(stored.dtype), fmt::join(stored.shape, ", "),
                    ToString(tensor.dtype), fmt::join(chunk.sizes, ", ")),
        "files and .metadata are of different saves");
  }
  return stored;
}

Result<AssembledTensor> DcpReader::Assemble(const DcpTensor& tensor) {
  AssembledTensor assembled;
  const std::vector<std::int64_t> strides = RowMajorStrides(tensor.shape);
  for (const DcpChunk& chunk : tensor.chunks) {
    Piece piece;
    const StoredTensor stored = TRY(LocateChunk(tensor, chunk, piece.span));
    piece.source_begin = stored.begin;
    piece.shape = chunk.sizes;
    piece.source_stride = stored.stride;
    piece.target_stride = strides;
    for (std::size_t i = 0; i < strides.size(); ++i) {
      piece.target_begin += chunk.offsets[i] * strides[i];
    }
    if (assembled.pieces.empty()) {
      assembled.info =
          DescribeTensor(tensor.name, tensor.dtype, tensor.shape, files_->at(piece.span).path);
    }
    assembled.pieces.push_back(std::move(piece));
  }
  return assembled;
}

Status DcpReader::CheckTimes() const {
  if (older_.empty() || newer_.empty()) return {};
  return Fail(
      ErrorKind::kInvalidData,
      fmt::format("{} was written after {}.metadata, and {} before it", newer_, folder_, older_),
      "the checkpoint is being saved over an older one; of a copy, touch .metadata", true);
}

Result<TorchArchive> DcpReader::OpenObject(const DcpObject& object) {
  const std::size_t file = TRY(OpenPlace(object.place));
  return OpenTorchArchive(files_->at(file), FileSlice{object.place.begin, object.place.size});
}

Result<std::optional<std::int64_t>> DcpReader::FindInteger(std::string_view name) {
  if (const DcpObject* object = metadata_.FindObject(name)) {
    const std::size_t file = TRY(OpenPlace(object->place));
    const TorchArchive archive = TRY(OpenObject(*object));
    return TRY(IntegerOf(archive, files_->at(file), name));
  }
  if (const DcpTensor* tensor = metadata_.FindTensor(name); tensor && tensor->chunks.size() == 1) {
    const std::size_t file = TRY(OpenPlace(tensor->chunks[0].place));
    const TorchArchive archive = TRY(OpenTorchArchive(
        files_->at(file), FileSlice{tensor->chunks[0].place.begin, tensor->chunks[0].place.size}));
    return TRY(IntegerOf(archive, files_->at(file), name));
  }
  return std::nullopt;
}

}  // namespace couplingd
