// Tensors put together from strided pieces of files, or of another source's tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/confined_file.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

// Numbered runs of bytes. Thread-safe.
class ByteSpans {
 public:
  virtual ~ByteSpans() = default;
  virtual Status Read(std::size_t span, std::uint64_t begin, std::uint64_t size,
                      void* into) const = 0;
  virtual Status CheckUnchanged() const = 0;
};

// Span i is the whole of file i. A file that has become shorter is kVanished and retryable.
std::unique_ptr<ByteSpans> SpansOfFiles(std::vector<ConfinedFile> files);

// Span i is the i-th of the source's tensors.
std::unique_ptr<ByteSpans> SpansOfTensors(std::unique_ptr<TensorSource> source);

// Where elements of a tensor come from: element (i0, i1, …) of `shape` lies in the span at byte
// source_begin + item * Σ ik source_stride[k], and becomes element target_begin + Σ ik
// target_stride[k] of the row-major tensor.
struct Piece {
  std::size_t span = 0;
  std::uint64_t source_begin = 0;           // bytes
  std::int64_t target_begin = 0;            // elements
  std::vector<std::int64_t> shape;          // empty: one element
  std::vector<std::int64_t> source_stride;  // elements, none negative
  std::vector<std::int64_t> target_stride;  // elements, none negative
};

struct AssembledTensor {
  TensorInfo info;
  std::vector<Piece> pieces;  // in any order; together exactly the tensor
};

// Row-major strides of a shape, in elements.
std::vector<std::int64_t> RowMajorStrides(const std::vector<std::int64_t>& shape);

// A piece that fills the whole tensor from a strided view.
Piece WholePiece(std::size_t span, std::uint64_t source_begin,
                 const std::vector<std::int64_t>& shape, std::vector<std::int64_t> source_stride);

// kInvalidData where the pieces of a tensor do not have as many elements as it has, or one leaves
// it, or two tensors have one name; that pieces do not overlap is for the caller to know. Elements
// must be whole bytes.
Result<std::unique_ptr<TensorSource>> Assemble(std::unique_ptr<ByteSpans> spans,
                                               std::vector<AssembledTensor> tensors);

}  // namespace couplingd
