// Steering a checkpoint, in the worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probes/evaluator/model_session.h"

namespace couplingd {

// The member "steering" of a request:
// {"prompt","prompts":[…],"strength":X|null,"layer":N|null,"sample":B,"seed":N,"max_tokens":N,
//  "grade":B}
struct SteeringSettings {
  std::string prompt;                // generated from without and with steering; empty: none
  std::vector<std::string> prompts;  // the sweep; empty: none
  std::optional<double> strength;    // absent: by the coupling of the layer
  int layer = 0;                     // 0: a quarter of the layers
  bool sample = false;
  std::int64_t seed = 1;
  int max_tokens = 48;
  bool grade = false;
};
// Errors name the field.
Result<SteeringSettings> ParseSteeringSettings(std::string_view request_json);

// The task "steer": sends start, progress and note frames, and returns the result frame, whose
// "report" is {"steering":{…}} as docs/json.md describes it; a grade is also an entry of "packs".
Result<std::string> RunSteering(const EvaluationSettings& settings,
                                const SteeringSettings& steering, const Clock& clock,
                                const SendFrame& send);

}  // namespace couplingd
