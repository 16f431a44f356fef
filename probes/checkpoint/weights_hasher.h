// The identity of a model's weights.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/result.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

// XXH3-128 over all tensors of a source: over the sorted list of (name, dtype, shape, XXH3-128 of
// the bytes as stored). How tensors are spread over files does not matter. A loader adds each
// tensor as it reads it, so that bytes are read once. Thread-safe.
class WeightsHasher {
 public:
  // `bytes`: the tensor.bytes bytes that Read gave. Adding a tensor again changes nothing.
  void Add(const TensorInfo& tensor, const void* bytes);

  // 32 hexadecimal digits over every tensor of `source`; those that were not added are read now, in
  // pieces.
  Result<std::string> Finish(const TensorSource& source);

 private:
  void Keep(const TensorInfo& tensor, std::string hash);

  std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> entries_;  // name to its line of the list
};

}  // namespace couplingd
