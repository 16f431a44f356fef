// Reads one strided piece of a tensor, run by run.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/assembly/assembled_source.h"

namespace couplingd {

// Elements [begin, end) of a row-major tensor.
struct ElementRange {
  std::uint64_t begin = 0, end = 0;
};

class StridedCopy {
 public:
  explicit StridedCopy(const Piece& piece);

  // Reads those of its elements that lie in `wanted` of the tensor into `into`, which begins at
  // wanted.begin. Elements are read in the longest runs that source and tensor share; where those
  // are short, a window of the source that holds them all is read at once, as long as it is not
  // much larger than what is wanted.
  Status Read(const ByteSpans& spans, std::uint64_t item, ElementRange wanted, void* into) const;

 private:
  struct Dimension {
    std::int64_t size, source_stride, target_stride;
  };

  template <typename Visit>
  Status VisitRuns(ElementRange wanted, const Visit& visit) const;

  std::size_t span_;
  std::uint64_t source_begin_;
  std::int64_t target_begin_;
  std::vector<Dimension> outer_;  // by falling target stride
  std::int64_t run_ = 1;          // consecutive on both sides
  std::int64_t elements_ = 1;
};

}  // namespace couplingd
