// What the Hugging Face Trainer says about itself in trainer_state.json, which it writes last.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace couplingd {

struct TrainerState {
  std::int64_t global_step = 0;
  std::int64_t input_tokens_seen = 0;  // over all ranks; 0 where the trainer did not count
  double total_flos =
      0;  // 6 x tokens (padding included) x parameters outside embeddings; 0: not kept
};

// NaN literals and unknown fields are accepted. JSON that does not parse is kInvalidData with
// `retryable` set, as the trainer writes the file in place. `source` names the file in errors.
Result<TrainerState> ParseTrainerState(std::string_view text, std::string_view source);

}  // namespace couplingd
