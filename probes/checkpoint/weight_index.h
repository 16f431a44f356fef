// The index of a sharded model, as save_pretrained writes it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace couplingd {

inline constexpr std::size_t kMaxIndexBytes = 64u << 20;

// Shard to the names of the tensors that the index places in it.
using WeightMap = std::map<std::string, std::set<std::string, std::less<>>>;

// JSON that does not parse is `retryable`: it is written in place. Shards must be plain file names
// that end in `ending`.
Result<WeightMap> ParseWeightIndex(std::string_view text, const std::string& path,
                                   std::string_view ending);

}  // namespace couplingd
