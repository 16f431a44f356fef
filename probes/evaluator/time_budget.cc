#include "probes/evaluator/time_budget.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

namespace couplingd {
namespace {

constexpr std::int64_t kMeasuredItems = 100;
constexpr std::int64_t kFewestItems = 10;

double Seconds(std::chrono::steady_clock::duration span) {
  return std::chrono::duration<double>(span).count();
}

std::int64_t RoundedToTwoDigits(std::int64_t number) {
  std::int64_t unit = 1;
  while (number / unit >= 100) unit *= 10;
  return number / unit * unit;
}

}  // namespace

Result<double> MeasureSpeed(Decoder& decoder, const Questions& all, std::int64_t seed,
                            const Planning& planning, int least_tokens, const CostModel& cost,
                            const Clock& clock, std::chrono::milliseconds span) {
  const std::vector<ScoringRequest> some = LimitedRequests(all, kMeasuredItems, seed);
  std::optional<std::chrono::steady_clock::time_point> started;
  for (int tokens = least_tokens;; tokens *= 2) {
    tokens = std::clamp(tokens, 1, planning.token_budget);
    const ForwardPlan plan = TRY(PlanScoring(some, tokens, planning.longest_short)).forward;
    std::vector<TokenScore> ignored(plan.reads.size());
    if (!started) TRY(decoder.Run(plan, 0, ignored));
    const auto begin = clock.Steady();
    started = started.value_or(begin);
    TRY(decoder.Run(plan, 0, ignored));
    const auto end = clock.Steady();
    const bool is_last = tokens == planning.token_budget || plan.packs.size() == 1;
    if (!is_last && end - *started < span) continue;
    const double seconds = Seconds(end - begin);
    if (seconds <= 0) return std::numeric_limits<double>::infinity();
    return cost.Of(plan, plan.packs.front()) / seconds;
  }
}

Result<std::int64_t> ItemsWithin(double flops, const Questions& all, std::int64_t seed,
                                 const Planning& planning, const CostModel& cost) {
  const auto fits = [&](std::int64_t items) -> Result<bool> {
    const ScoringPlan plan = TRY(PlanScoring(LimitedRequests(all, items, seed),
                                             planning.token_budget, planning.longest_short));
    return cost.Of(plan.forward) <= flops;
  };
  const std::int64_t largest = all.LargestPack();
  if (largest <= kFewestItems || TRY(fits(largest))) return largest;
  std::int64_t enough = kFewestItems, too_many = largest;
  while (too_many - enough > std::max<std::int64_t>(1, enough / 50)) {
    const std::int64_t middle = enough + (too_many - enough) / 2;
    (TRY(fits(middle)) ? enough : too_many) = middle;
  }
  return RoundedToTwoDigits(enough);
}

}  // namespace couplingd
