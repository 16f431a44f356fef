// In how many rows at once a pack goes through a decoder; memory_model.h counts with the same.
#pragma once

#include <cstdint>

namespace couplingd {

// On the CPU: smaller ones read the weights too often, larger ones leave threads idle.
inline constexpr std::int64_t kTileRows = 1024;

// Rows of a tile that meet all keys on their paths at once; more of them would see fewer in common.
inline constexpr std::int64_t kAttentionRows = 64;

}  // namespace couplingd
