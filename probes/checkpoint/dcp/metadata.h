// The .metadata file of a PyTorch Distributed Checkpoint: which part of which tensor lies where.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

struct DcpPlace {
  std::string file;  // below the checkpoint's directory
  std::uint64_t begin = 0, size = 0;
};

// A box of a tensor, stored by one rank.
struct DcpChunk {
  std::vector<std::int64_t> offsets, sizes;
  DcpPlace place;
};

struct DcpTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::vector<DcpChunk> chunks;  // they tile the tensor
};

// Anything else that was saved, as an archive of torch.save.
struct DcpObject {
  std::string name;
  DcpPlace place;
};

struct DcpMetadata {
  std::vector<DcpTensor> tensors;
  std::vector<DcpObject> objects;

  const DcpTensor* FindTensor(std::string_view name) const;
  const DcpObject* FindObject(std::string_view name) const;
};

// Names that `wanted` (a predicate) turns down are left out unchecked: an optimizer's state is not
// needed. kInvalidData: what is no such metadata, a chunk without a place, chunks that leave the
// tensor, overlap, or do not fill it, more than 65,536 chunks of one tensor. kUnsupported: element
// types without a name in safetensors, and chunks that were transformed (compressed) when they were
// written.
Result<DcpMetadata> ParseDcpMetadata(std::shared_ptr<const std::string> text,
                                     const std::string& path, bool (*wanted)(std::string_view));

}  // namespace couplingd
