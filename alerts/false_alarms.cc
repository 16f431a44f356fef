#include "alerts/false_alarms.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>

namespace couplingd {
namespace {

double Harmonic(std::int64_t n) {
  double sum = 0;
  for (std::int64_t k = n; k >= 1; --k) sum += 1.0 / static_cast<double>(k);
  return sum;
}

}  // namespace

double LookLevel(double rate, std::int64_t look) {
  static const double kWhole = Harmonic(kLooksPerRate);
  const double even = rate / kLooksPerRate;
  if (look > kLooksPerRate) return even;
  return even / 2 + rate / 2 / (static_cast<double>(look) * kWhole);
}

double SpentRate(double rate, std::int64_t looks) {
  static const double kWhole = Harmonic(kLooksPerRate);
  const double even = rate * static_cast<double>(looks) / kLooksPerRate;
  if (looks >= kLooksPerRate) return even;
  return even / 2 + rate / 2 * Harmonic(looks) / kWhole;
}

double LevelBeyond(double level, double margin) {
  using boost::math::cdf, boost::math::complement, boost::math::quantile;
  const boost::math::normal normal;
  return cdf(complement(normal, quantile(complement(normal, level)) + margin));
}

}  // namespace couplingd
