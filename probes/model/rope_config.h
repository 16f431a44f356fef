// What a config.json says about rotary positions, in the spellings of transformers 4 and 5.
#pragma once

#include "probes/model/config_reader.h"
#include "probes/model/families.h"

namespace couplingd {

// Sets `rotary` and `ropes` from the family's defaults and the file; needs `head_dim` and
// `max_positions`. Families with a theta of their own for sliding layers get two, [full, sliding],
// the others one. A value in rope_parameters (v5) or rope_scaling (v4) wins over the top level.
Status ReadRopes(const ConfigReader& reader, const Family& family, ModelConfig& config);

}  // namespace couplingd
