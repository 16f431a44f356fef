// The weights of a Hugging Face model directory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/confined_file.h"
#include "probes/checkpoint/safetensors.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

struct HfDirectoryOptions {
  ReadRoots read_roots;  // where links inside the directory may lead; the directory itself is
                         // always allowed
  SafetensorsLimits limits;
};

struct WeightsFile {
  std::string name;  // within the directory
  FileStamp stamp;
  std::string header_hash;  // of a safetensors file; of an index, the hash of its content
};

struct HfWeights {
  std::unique_ptr<TensorSource> source;
  std::vector<WeightsFile> files;  // sorted by name
};

// Opens model.safetensors, or every shard that model.safetensors.index.json names. Where both
// exist, the one that is complete is taken, and of two complete ones the one written last. Shard
// names must be plain file names; every shard must be there and hold every tensor that the index
// places in it. Nothing of the data is read. Errors: `retryable` set says that what is missing may
// still come (no weights yet, truncated, a shard or index that is not there or not complete);
// kUnsupported names another format; kPermission and kInvalidData stand as they are.
Result<HfWeights> OpenHfDirectory(const std::string& directory,
                                  const HfDirectoryOptions& options = {});

}  // namespace couplingd
