#include "daemon/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace couplingd {
namespace {

std::optional<std::string> TooCloseOnLogScale(std::int64_t step, int points_per_decade,
                                              const std::vector<std::int64_t>& evaluated) {
  const double distance = 1.0 / points_per_decade;
  for (std::int64_t other : evaluated) {
    if (other == step || other <= 0 || step <= 0) continue;
    const double apart =
        std::abs(std::log10(static_cast<double>(step) / static_cast<double>(other)));
    if (apart < distance * (1 - 1e-9)) {
      return fmt::format("schedule log: step {} is within 1/{} decade of step {}", step,
                         points_per_decade, other);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ReasonToSkip(const Schedule& schedule, std::int64_t step,
                                        const std::vector<std::int64_t>& known_steps,
                                        const std::vector<std::int64_t>& evaluated_steps,
                                        bool dense) {
  switch (schedule.kind) {
    case ScheduleKind::kEvery: {
      const auto place =
          std::find(known_steps.begin(), known_steps.end(), step) - known_steps.begin();
      if (place % schedule.every == 0) return std::nullopt;
      return fmt::format("schedule every: only each {}th checkpoint", schedule.every);
    }
    case ScheduleKind::kLog:
      return TooCloseOnLogScale(step, schedule.points_per_decade, evaluated_steps);
    case ScheduleKind::kAdaptive:
      if (dense) return std::nullopt;
      return TooCloseOnLogScale(step, schedule.points_per_decade, evaluated_steps);
    case ScheduleKind::kFinal:
      return "schedule final: the run goes on";
  }
  return std::nullopt;
}

std::optional<std::size_t> NextInQueue(const std::vector<Checkpoint>& queue,
                                       const std::string& order,
                                       const std::map<std::int64_t, UnixMillis>& last_started) {
  const auto turn = [&](const Checkpoint& checkpoint) {
    const auto started = last_started.find(checkpoint.run_id);
    return started == last_started.end() ? 0 : started->second;
  };
  const auto before = [&](const Checkpoint& a, const Checkpoint& b) {
    if (turn(a) != turn(b)) return turn(a) < turn(b);
    if (a.run_id != b.run_id) return a.run_id < b.run_id;
    return order == "oldest" ? a.step < b.step : a.step > b.step;
  };
  if (queue.empty()) return std::nullopt;
  return std::min_element(queue.begin(), queue.end(), before) - queue.begin();
}

}  // namespace couplingd
