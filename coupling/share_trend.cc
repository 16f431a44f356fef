#include "coupling/share_trend.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/special_functions/binomial.hpp>
#include <cmath>
#include <vector>

namespace couplingd {
namespace {

constexpr double kMostTables = 1e6;

// Weight of the tables whose statistic is at least as far from its mean, over all weight.
double ExactP(std::span<const ShareCount> counts, int successes, double mean, double observed) {
  double far = 0, all = 0;
  std::vector<int> table(counts.size(), 0);
  for (;;) {
    int sum = 0;
    for (const int cell : table) sum += cell;
    if (sum == successes) {
      double weight = 1, statistic = 0;
      for (std::size_t i = 0; i < table.size(); ++i) {
        weight *= boost::math::binomial_coefficient<double>(counts[i].total, table[i]);
        statistic += static_cast<double>(i) * table[i];
      }
      all += weight;
      if (std::abs(statistic - mean) >= std::abs(observed - mean) - 1e-9) far += weight;
    }
    std::size_t place = 0;
    while (place < table.size() && table[place] == counts[place].total) table[place++] = 0;
    if (place == table.size()) return far / all;
    ++table[place];
  }
}

}  // namespace

Result<ShareTrend> TestShareTrend(std::span<const ShareCount> counts) {
  double total = 0, successes = 0, scores = 0, squares = 0, statistic = 0, tables = 1;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double place = static_cast<double>(i);
    total += counts[i].total;
    successes += counts[i].successes;
    scores += place * counts[i].total;
    squares += place * place * counts[i].total;
    statistic += place * counts[i].successes;
    tables *= counts[i].total + 1;
  }
  if (counts.size() < 2 || successes == 0 || successes == total || tables > kMostTables) {
    return Fail(ErrorKind::kInvalidData,
                "a trend needs two counts or more that are neither all nor nothing");
  }
  const double share = successes / total;
  const double variance = share * (1 - share) * (squares - scores * scores / total);
  ShareTrend trend{.z = (statistic - share * scores) / std::sqrt(variance)};
  trend.p = 2 * boost::math::cdf(boost::math::complement(boost::math::normal(), std::abs(trend.z)));
  trend.exact_p = ExactP(counts, static_cast<int>(successes), share * scores, statistic);
  return trend;
}

}  // namespace couplingd
