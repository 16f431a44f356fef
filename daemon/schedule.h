// Which checkpoints are worth an evaluation, and which of those that wait is next. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "records/run.h"

namespace couplingd {

// The reason for which `schedule` leaves this step out, or nullopt to evaluate it. `known_steps`
// are the steps of the same generation seen so far, in rising order, this one included;
// `evaluated_steps` those evaluated, queued or being evaluated.
//   every: the 1st, (1+n)th, … of known_steps · log: none within 10^(1/points_per_decade) of one
//   chosen before final: none while the run goes on (a run ends when it is told so or overdue) ·
//   adaptive: as log, but every checkpoint once the phase is undetermined or changing (`dense`).
std::optional<std::string> ReasonToSkip(const Schedule& schedule, std::int64_t step,
                                        const std::vector<std::int64_t>& known_steps,
                                        const std::vector<std::int64_t>& evaluated_steps,
                                        bool dense);

// The queued checkpoint to evaluate next: `order` "newest" takes the highest step, "oldest" the
// lowest; among runs the one whose turn is longest ago (`last_started`, by run id; absent: never).
// nullopt where the queue is empty.
std::optional<std::size_t> NextInQueue(const std::vector<Checkpoint>& queue,
                                       const std::string& order,
                                       const std::map<std::int64_t, UnixMillis>& last_started);

}  // namespace couplingd
