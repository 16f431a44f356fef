// Statistics over the items that checkpoints, runs and tasks share.
//
// Items of one cluster (TruthfulQA category, MMLU subject) are no independent draws: variances are
// taken over clusters, as the sandwich estimator of a regression on a constant does (K.-Y. Liang,
// S. L. Zeger, Biometrika 73, 13 (1986)), with G/(G − 1) for G clusters. `clusters` is parallel to
// the items; an empty name is a cluster of its own, an empty vector means none.
#pragma once

#include <Eigen/Dense>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace couplingd {

// What is drawn independently: per cluster (an item, where there are none) the sum over its items
// of their deviation from the mean, one column per score, and the number of its items.
struct ItemUnits {
  Eigen::MatrixXd sums;   // G × K
  Eigen::VectorXd sizes;  // G
};

// `columns` are K ≥ 1 scores of the same items. REQUIRES: all of one length ≥ 1, clusters empty or
// of that length.
ItemUnits SumByUnit(std::span<const std::vector<double>* const> columns,
                    const std::vector<std::string>& clusters);

// Covariance of the means behind the columns of two sums over the same units; zero for one unit.
Eigen::MatrixXd UnitCovariance(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, double items);

struct ItemMean {
  double value = 0;
  double standard_error = 0;  // 0 for a single cluster, of which nothing can be said
  int items = 0;
  int clusters = 0;
};
// kInvalidData for no items, values that are not finite, and clusters of another number.
Result<ItemMean> MeanOfItems(const std::vector<double>& values,
                             const std::vector<std::string>& clusters);

// b − a on the same items.
struct PairedDifference {
  ItemMean difference;
  double unpaired_standard_error = 0;  // what it would be had both been scored on different items
};
Result<PairedDifference> DifferenceOnItems(const std::vector<double>& a,
                                           const std::vector<double>& b,
                                           const std::vector<std::string>& clusters);

// Adjusted p-values (S. Holm, Scand. J. Statist. 6, 65 (1979)): below α they hold together, the
// chance of any false one being below α.
std::vector<double> HolmAdjusted(const std::vector<double>& p);

// Two-sided p of a difference with Student's t; infinite dof is the normal.
double TwoSidedP(double difference, double standard_error, double dof);

// Factor on the standard error at which a test at `level` finds a difference with this power:
// z((1 + level)/2) + z(power), 2.80 for 95 % and 80 %. The far tail is neglected.
double DetectionFactor(double level, double power);

}  // namespace couplingd
