#include "coupling/frontier/saturation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "coupling/correlation.h"

namespace couplingd {
namespace {

using Eigen::Index;

std::vector<Index> TopBy(const Eigen::VectorXd& scores, int count) {
  std::vector<Index> order(scores.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](Index a, Index b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
  order.resize(count);
  return order;
}

double Range(const Eigen::VectorXd& scores, const std::vector<Index>& among) {
  double low = scores[among[0]], high = low;
  for (const Index i : among) {
    low = std::min(low, scores[i]);
    high = std::max(high, scores[i]);
  }
  return high - low;
}

double Ratio(double spread, double other) {
  return other > 0 ? spread / other : std::numeric_limits<double>::infinity();
}

double StandardDeviation(const Eigen::VectorXd& scores) {
  return std::sqrt((scores.array() - scores.mean()).square().sum() /
                   static_cast<double>(scores.size() - 1));
}

}  // namespace

Result<Saturation> MeasureSaturation(const Eigen::VectorXd& chosen, const Eigen::VectorXd& other,
                                     int count, double level, int replicates, std::uint64_t seed) {
  const Index n = chosen.size();
  const double r = n > 2 ? PearsonR(chosen, other) : std::nan("");
  if (count < 2 || n <= count || std::isnan(r)) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("the spread of the top {} needs more models, with scores that differ", count));
  }
  Saturation found{.top = TopBy(chosen, count)};
  found.spread = Range(chosen, found.top);
  found.other_spread = Range(other, found.top);
  found.ratio = Ratio(found.spread, found.other_spread);

  const double scale = StandardDeviation(chosen) / StandardDeviation(other);
  const double rest = std::sqrt(std::max(0.0, 1 - r * r));
  Random random(seed);
  std::vector<double> ratios(replicates);
  Eigen::VectorXd first(n), second(n);
  int below = 0, triggered = 0;
  for (double& ratio : ratios) {
    for (Index i = 0; i < n; ++i) {
      first[i] = random.Normal();
      second[i] = r * first[i] + rest * random.Normal();
    }
    const std::vector<Index> top = TopBy(first, count);
    ratio = scale * Ratio(Range(first, top), Range(second, top));
    below += ratio <= found.ratio;
    triggered += ratio < kRotationTrigger;
  }
  found.null_p = static_cast<double>(below) / replicates;
  found.null_trigger = static_cast<double>(triggered) / replicates;
  found.null_median = Quantile(ratios, 0.5);
  found.null = CentralInterval(std::move(ratios), level);
  return found;
}

}  // namespace couplingd
