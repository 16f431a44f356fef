#include "coupling/item_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>
#include <numeric>

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

double Mean(const std::vector<double>& values) {
  return Eigen::Map<const VectorXd>(values.data(), static_cast<Index>(values.size())).mean();
}

Status CheckItems(const std::vector<double>& values, const std::vector<std::string>& clusters) {
  if (values.empty()) return Fail(ErrorKind::kInvalidData, "there are no items");
  if (!clusters.empty() && clusters.size() != values.size()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} clusters for {} items", clusters.size(), values.size()));
  }
  const auto bad = std::ranges::find_if(values, [](double v) { return !std::isfinite(v); });
  if (bad == values.end()) return {};
  return Fail(ErrorKind::kInvalidData,
              fmt::format("item {} has the value {}", bad - values.begin(), *bad));
}

}  // namespace

ItemUnits SumByUnit(std::span<const std::vector<double>* const> columns,
                    const std::vector<std::string>& clusters) {
  const auto items = static_cast<Index>(columns[0]->size());
  std::vector<Index> unit_of(items);
  std::map<std::string_view, Index> known;
  Index count = 0;
  for (Index i = 0; i < items; ++i) {
    if (clusters.empty() || clusters[i].empty()) {
      unit_of[i] = count++;
      continue;
    }
    const auto [found, is_new] = known.try_emplace(clusters[i], count);
    count += is_new;
    unit_of[i] = found->second;
  }
  const auto places = static_cast<Index>(columns.size());
  ItemUnits units{MatrixXd::Zero(count, places), VectorXd::Zero(count)};
  for (Index i = 0; i < items; ++i) units.sizes[unit_of[i]] += 1;
  for (Index k = 0; k < places; ++k) {
    const std::vector<double>& values = *columns[k];
    const double mean = Mean(values);
    for (Index i = 0; i < items; ++i) units.sums(unit_of[i], k) += values[i] - mean;
  }
  return units;
}

MatrixXd UnitCovariance(const MatrixXd& a, const MatrixXd& b, double items) {
  const auto count = static_cast<double>(a.rows());
  if (count < 2) return MatrixXd::Zero(a.cols(), b.cols());
  return a.transpose() * b * (count / (count - 1) / (items * items));
}

Result<ItemMean> MeanOfItems(const std::vector<double>& values,
                             const std::vector<std::string>& clusters) {
  TRY(CheckItems(values, clusters));
  const std::vector<double>* column = &values;
  const ItemUnits units = SumByUnit({&column, 1}, clusters);
  const auto items = static_cast<double>(values.size());
  return ItemMean{.value = Mean(values),
                  .standard_error = std::sqrt(UnitCovariance(units.sums, units.sums, items)(0, 0)),
                  .items = static_cast<int>(values.size()),
                  .clusters = static_cast<int>(units.sizes.size())};
}

Result<PairedDifference> DifferenceOnItems(const std::vector<double>& a,
                                           const std::vector<double>& b,
                                           const std::vector<std::string>& clusters) {
  if (a.size() != b.size()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} items on one side, {} on the other", a.size(), b.size()));
  }
  const ItemMean mean_a = TRY(MeanOfItems(a, clusters)), mean_b = TRY(MeanOfItems(b, clusters));
  std::vector<double> differences(a.size());
  std::ranges::transform(b, a, differences.begin(), std::minus<>());
  return PairedDifference{
      .difference = TRY(MeanOfItems(differences, clusters)),
      .unpaired_standard_error = std::hypot(mean_a.standard_error, mean_b.standard_error)};
}

std::vector<double> HolmAdjusted(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return p[i]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, p[order[rank]] * static_cast<double>(p.size() - rank));
    adjusted[order[rank]] = std::min(1.0, largest);
  }
  return adjusted;
}

double TwoSidedP(double difference, double standard_error, double dof) {
  if (!(standard_error > 0)) return difference == 0 ? 1 : 0;
  const double statistic = std::abs(difference) / standard_error;
  namespace math = boost::math;
  if (!(dof < 1e7)) return 2 * math::cdf(math::complement(math::normal(), statistic));
  return 2 * math::cdf(math::complement(math::students_t(dof), statistic));
}

double DetectionFactor(double level, double power) {
  const boost::math::normal normal;
  return boost::math::quantile(normal, (1 + level) / 2) + boost::math::quantile(normal, power);
}

}  // namespace couplingd
