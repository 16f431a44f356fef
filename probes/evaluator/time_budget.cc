#include "probes/evaluator/time_budget.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace couplingd {
namespace {

constexpr std::size_t kMostMeasuredPacks = 5;
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

Result<double> MeasureSpeed(Decoder& decoder, const ForwardPlan& plan, const CostModel& cost,
                            const Clock& clock, std::chrono::milliseconds span) {
  std::vector<TokenScore> ignored(plan.reads.size());
  const auto started = clock.Steady();
  double flops = 0, seconds = 0;
  const std::size_t packs = std::min(plan.packs.size(), kMostMeasuredPacks);
  for (std::size_t pack = 0; pack < packs; ++pack) {
    const auto begin = clock.Steady();
    TRY(decoder.Run(plan, pack, ignored));
    const auto end = clock.Steady();
    if (pack == 1) flops = seconds = 0;
    flops += cost.Of(plan, plan.packs[pack]);
    seconds += Seconds(end - begin);
    if (pack > 0 && end - started >= span) break;
  }
  return seconds > 0 ? flops / seconds : std::numeric_limits<double>::infinity();
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
