// How many items an evaluation can ask within a time, from what they cost and how fast this model
// is forwarded here.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "probes/evaluator/questions.h"
#include "probes/model/decoder.h"
#include "probes/scoring/cost_model.h"

namespace couplingd {

struct Planning {
  int token_budget = 0;
  std::int64_t longest_short = 0;  // of PlanScoring
};

// FLOPs per second over a pack of questions. It begins with `least_tokens`, once to wait for the
// weights and to warm up and once by the clock, and doubles them, since larger packs are faster,
// until `span` has passed or the token budget is reached. Infinite where no time goes by. Errors as
// of Decoder::Run. The decoder holds nothing of use afterwards.
Result<double> MeasureSpeed(Decoder& decoder, const Questions& all, std::int64_t seed,
                            const Planning& planning, int least_tokens, const CostModel& cost,
                            const Clock& clock, std::chrono::milliseconds span);

// The largest limit of items per pack (Limited in questions.h) whose plan costs at most `flops`, to
// two digits so that nearly equal speeds give the same; at least ten, and never more than the
// largest pack has.
Result<std::int64_t> ItemsWithin(double flops, const Questions& all, std::int64_t seed,
                                 const Planning& planning, const CostModel& cost);

}  // namespace couplingd
