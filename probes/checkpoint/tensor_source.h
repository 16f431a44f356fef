// Named tensors in files, read on demand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

// The element types of safetensors.
enum class DType {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3Fnuz,
  kF8E5M2Fnuz,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
};

std::string_view ToString(DType dtype);  // "BF16", as safetensors spells it
std::optional<DType> ParseDType(std::string_view spelling);
int BitsOf(DType dtype);  // of one element: 4 to 64

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  // row-major; empty: a scalar; a dimension may be 0
  std::string file;                 // path of the file that holds it
  std::uint64_t offset = 0;         // of its first byte in that file; need not be aligned
  std::uint64_t bytes = 0;

  std::int64_t Elements() const;  // fits: readers refuse what overflows
};

// Every file is opened once, when the source is made, and kept open: a directory that is deleted or
// renamed meanwhile can still be read to the end. Files are read with pread, never mapped.
// Thread-safe.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  virtual const std::vector<TensorInfo>& tensors() const = 0;  // sorted by name

  // Copies bytes [begin, begin + size) of one of `tensors()`, little-endian as they stand in the
  // file. A file that has become shorter is kVanished and retryable.
  virtual Status ReadPart(const TensorInfo& tensor, std::uint64_t begin, std::uint64_t size,
                          void* into) const = 0;

  // After the last read: kVanished ("… changed during evaluation", retryable) where any file has
  // another size or modification time than when it was opened, or its path is gone or leads to
  // another file.
  virtual Status CheckUnchanged() const = 0;

  Status Read(const TensorInfo& tensor, void* into) const {
    return ReadPart(tensor, 0, tensor.bytes, into);
  }
  const TensorInfo* Find(std::string_view name) const;  // nullptr where there is none
};

}  // namespace couplingd
