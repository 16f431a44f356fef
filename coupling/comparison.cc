#include "coupling/comparison.h"

#include <fmt/format.h>

#include <cmath>

#include "coupling/item_statistics.h"

namespace couplingd {
namespace {

double WelchDof(const NoisyDifference& d) {
  const double total = d.item_variance + d.step_variance;
  const double parts = d.item_variance * d.item_variance / d.item_dof +
                       d.step_variance * d.step_variance / d.step_dof;
  return parts > 0 ? total * total / parts : std::numeric_limits<double>::infinity();
}

}  // namespace

DifferenceTest TestDifference(const NoisyDifference& difference, double level) {
  const double error = std::sqrt(difference.item_variance + difference.step_variance);
  const double dof = WelchDof(difference);
  const double half = error > 0 ? StudentCritical(level, dof) * error : 0;
  return {{difference.value - half, difference.value + half},
          TwoSidedP(difference.value, error, dof)};
}

std::string WhatSettlesDifference(const NoisyDifference& difference, double level, double power) {
  const double wanted = std::pow(difference.value / DetectionFactor(level, power), 2);
  const double items = difference.item_variance, steps = difference.step_variance;
  const double factor = (items + steps) / wanted;
  if (!(factor < 100)) return "no practical amount of data would settle a difference this small";
  if (steps < wanted && items > 0) {
    const double times = items / (wanted - steps);
    return difference.items > 0
               ? fmt::format("about {:.0f} items (now {}) would settle it",
                             std::ceil(difference.items * times), difference.items)
               : fmt::format("about {:.1f} times the items would settle it", times);
  }
  if (items < wanted) {
    return fmt::format("the mean of about {:.0f} checkpoints of each run would settle it",
                       std::ceil(steps / (wanted - items)));
  }
  return fmt::format(
      "about {0:.0f} times the items and the mean of {0:.0f} checkpoints would "
      "settle it",
      std::ceil(factor));
}

DifferenceTest CompareEstimates(const Estimated& a, const Estimated& b, double level) {
  const double difference = b.value - a.value;
  DifferenceTest test;
  test.interval.low = difference - std::hypot(b.value - b.low, a.high - a.value);
  test.interval.high = difference + std::hypot(b.high - b.value, a.value - a.low);
  const double towards_zero =
      difference > 0 ? difference - test.interval.low : test.interval.high - difference;
  test.p = std::isfinite(towards_zero) ? TwoSidedP(difference, towards_zero / NormalCritical(level),
                                                   std::numeric_limits<double>::infinity())
                                       : 1;
  return test;
}

}  // namespace couplingd
