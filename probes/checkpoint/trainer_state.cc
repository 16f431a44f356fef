#include "probes/checkpoint/trainer_state.h"

#include "base/json.h"

namespace couplingd {

Result<TrainerState> ParseTrainerState(std::string_view text, std::string_view source) {
  Result<JsonDocument> parsed = ParseJson(text, source);
  if (!parsed) {
    Error error = std::move(parsed).error();
    error.hint = "the trainer writes it in place and last, so it may still be on its way";
    error.retryable = true;
    return std::unexpected(std::move(error));
  }
  TrainerState state;
  state.global_step = TRY(GetInt(*parsed, "global_step", source));
  state.input_tokens_seen = TRY(FindInt(*parsed, "num_input_tokens_seen", source)).value_or(0);
  state.total_flos = TRY(FindDouble(*parsed, "total_flos", source)).value_or(0);
  return state;
}

}  // namespace couplingd
