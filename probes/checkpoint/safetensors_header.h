// The JSON header of a safetensors file, checked to the last rule of the format.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

// `json`: the header's bytes, padding included. `data_begin`: offset in the file of the first data
// byte. Gives the tensors in the order of their data, with `offset` counted from the start of the
// file and `file` = `path`. kInvalidData: no JSON object, a duplicate name or field, a field that
// is missing or of the wrong type, an unknown dtype, a shape whose size overflows or disagrees with
// the offsets, overlapping data or a hole. Errors read `path: tensor "name": cause`. Memory stays
// within a small multiple of the header.
// `metadata`, where given, takes what __metadata__ holds.
using SafetensorsMetadata = std::map<std::string, std::string, std::less<>>;
Result<std::vector<TensorInfo>> ParseSafetensorsHeader(std::string_view json,
                                                       std::uint64_t data_begin,
                                                       const std::string& path,
                                                       SafetensorsMetadata* metadata = nullptr);

}  // namespace couplingd
