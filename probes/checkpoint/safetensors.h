// One safetensors file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/confined_file.h"
#include "probes/checkpoint/safetensors_header.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

struct SafetensorsLimits {
  std::uint64_t max_header_bytes = 16u << 20;  // the format itself allows 100,000,000
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in the order of their data
  SafetensorsMetadata metadata;
  std::string hash;  // XXH3-128 over length and header
};

// Reads and checks the header of an opened file: every rule of the format holds, and the data end
// exactly at the end of the file. Nothing of the data is read. An Error with `retryable` set says
// that the file is shorter than it announces, as one is while it is being written; any other
// kInvalidData is damage.
Result<SafetensorsHeader> ReadSafetensorsHeader(const ConfinedFile& file,
                                                const SafetensorsLimits& limits = {});

struct SafetensorsFile {
  ConfinedFile file;
  std::vector<TensorInfo> tensors;  // in the order of their data
  std::string header_hash;          // XXH3-128 over length and header
};

// Opens the file and reads its header.
Result<SafetensorsFile> OpenSafetensors(const std::string& path, const ReadRoots& roots,
                                        const SafetensorsLimits& limits = {});

}  // namespace couplingd
