#include "probes/checkpoint/assembly/assembled_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/files.h"
#include "probes/checkpoint/assembly/strided_copy.h"

namespace couplingd {
namespace {

class FileSpans final : public ByteSpans {
 public:
  explicit FileSpans(std::vector<ConfinedFile> files) : files_(std::move(files)) {}

  Status Read(std::size_t span, std::uint64_t begin, std::uint64_t size,
              void* into) const override {
    return ReadConfinedPart(files_[span], begin, size, into);
  }

  Status CheckUnchanged() const override {
    for (const ConfinedFile& file : files_) TRY(couplingd::CheckUnchanged(file));
    return {};
  }

 private:
  std::vector<ConfinedFile> files_;
};

class TensorSpans final : public ByteSpans {
 public:
  explicit TensorSpans(std::unique_ptr<TensorSource> source) : source_(std::move(source)) {}

  Status Read(std::size_t span, std::uint64_t begin, std::uint64_t size,
              void* into) const override {
    return source_->ReadPart(source_->tensors()[span], begin, size, into);
  }

  Status CheckUnchanged() const override { return source_->CheckUnchanged(); }

 private:
  std::unique_ptr<TensorSource> source_;
};

class AssembledSource final : public TensorSource {
 public:
  AssembledSource(std::unique_ptr<ByteSpans> spans, std::vector<AssembledTensor> tensors)
      : spans_(std::move(spans)) {
    std::ranges::sort(
        tensors, {}, [](const AssembledTensor& t) -> auto& { return t.info.name; });
    for (AssembledTensor& tensor : tensors) {
      infos_.push_back(std::move(tensor.info));
      std::vector<StridedCopy> copies;
      for (const Piece& piece : tensor.pieces) copies.emplace_back(piece);
      copies_.push_back(std::move(copies));
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return infos_; }

  Status ReadPart(const TensorInfo& tensor, std::uint64_t begin, std::uint64_t size,
                  void* into) const override {
    const auto index = static_cast<std::size_t>(&tensor - infos_.data());
    if (index >= infos_.size()) return WrongPart(tensor, begin, size);
    const auto item = static_cast<std::uint64_t>(BitsOf(tensor.dtype)) / 8;
    if (begin > tensor.bytes || size > tensor.bytes - begin) return WrongPart(tensor, begin, size);
    if (begin % item != 0 || size % item != 0) {
      return ReadUnaligned(tensor, begin, size, static_cast<std::uint64_t>(item), into);
    }
    for (const StridedCopy& copy : copies_[index]) {
      TRY(copy.Read(*spans_, item, {begin / item, (begin + size) / item}, into));
    }
    return {};
  }

  Status CheckUnchanged() const override { return spans_->CheckUnchanged(); }

 private:
  static std::unexpected<Error> WrongPart(const TensorInfo& tensor, std::uint64_t begin,
                                          std::uint64_t size) {
    return Fail(ErrorKind::kInternal, fmt::format("tensor \"{}\" has no bytes {} to {}",
                                                  tensor.name, begin, begin + size));
  }

  Status ReadUnaligned(const TensorInfo& tensor, std::uint64_t begin, std::uint64_t size,
                       std::uint64_t item, void* into) const {
    const std::uint64_t first = begin / item * item;
    const std::uint64_t last = (begin + size + item - 1) / item * item;
    std::vector<char> whole(last - first);
    TRY(ReadPart(tensor, first, last - first, whole.data()));
    std::copy_n(whole.data() + (begin - first), size, static_cast<char*>(into));
    return {};
  }

  std::unique_ptr<ByteSpans> spans_;
  std::vector<TensorInfo> infos_;                 // sorted by name
  std::vector<std::vector<StridedCopy>> copies_;  // of each
};

std::int64_t VolumeOf(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

Status CheckPieces(const AssembledTensor& tensor) {
  const std::int64_t elements = tensor.info.Elements();
  std::int64_t covered = 0;
  for (const Piece& piece : tensor.pieces) {
    std::int64_t last = piece.target_begin;
    for (std::size_t i = 0; i < piece.shape.size(); ++i) {
      last += (piece.shape[i] - 1) * piece.target_stride[i];
    }
    const std::int64_t volume = VolumeOf(piece.shape);
    covered += volume;
    if (volume > 0 && (piece.target_begin < 0 || last >= elements)) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("tensor \"{}\": a part of it lies outside it", tensor.info.name));
    }
  }
  if (covered == elements) return {};
  return Fail(ErrorKind::kInvalidData,
              fmt::format("tensor \"{}\" has {} elements, its parts have {}", tensor.info.name,
                          elements, covered),
              "a file of the checkpoint is missing, or belongs to another one");
}

}  // namespace

std::unique_ptr<ByteSpans> SpansOfFiles(std::vector<ConfinedFile> files) {
  return std::make_unique<FileSpans>(std::move(files));
}

std::unique_ptr<ByteSpans> SpansOfTensors(std::unique_ptr<TensorSource> source) {
  return std::make_unique<TensorSpans>(std::move(source));
}

std::vector<std::int64_t> RowMajorStrides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Piece WholePiece(std::size_t span, std::uint64_t source_begin,
                 const std::vector<std::int64_t>& shape, std::vector<std::int64_t> source_stride) {
  return {span, source_begin, 0, shape, std::move(source_stride), RowMajorStrides(shape)};
}

Result<std::unique_ptr<TensorSource>> Assemble(std::unique_ptr<ByteSpans> spans,
                                               std::vector<AssembledTensor> tensors) {
  for (const AssembledTensor& tensor : tensors) TRY(CheckPieces(tensor));
  auto source = std::make_unique<AssembledSource>(std::move(spans), std::move(tensors));
  const auto twice = std::ranges::adjacent_find(source->tensors(), {}, &TensorInfo::name);
  if (twice != source->tensors().end()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("the tensor \"{}\" stands twice in the checkpoint", twice->name));
  }
  return source;
}

}  // namespace couplingd
