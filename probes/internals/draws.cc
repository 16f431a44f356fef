#include "probes/internals/draws.h"

#include <algorithm>
#include <cmath>

namespace couplingd {

PercentileRange CentralRange(std::vector<double> values, double level) {
  std::ranges::sort(values);
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(place));
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - std::floor(place)) * (values[above] - values[below]);
  };
  return {at((1 - level) / 2), at((1 + level) / 2)};
}

}  // namespace couplingd
