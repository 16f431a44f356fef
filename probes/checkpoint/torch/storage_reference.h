// How a pickle of torch.save refers to a storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "probes/checkpoint/pickle/value.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

struct StorageReference {
  std::string key;
  std::optional<DType> dtype;  // none: an untyped storage, counted in bytes
  std::int64_t elements = 0;
};

// ("storage", class, key, location, elements[, None]). kUnsupported: a view of another storage, as
// torch 0.1 wrote, and storages of other types.
Result<StorageReference> ParseStorageReference(PickleRef persistent, const std::string& path);

}  // namespace couplingd
