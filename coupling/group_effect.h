// Do groups differ in their mean by more than chance?
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace couplingd {

struct GroupEffect {
  double f = 0;  // variance between the groups over variance within them (one-way)
  double p = 1;  // share of relabellings with an F at least as large, (k + 1)/(B + 1)
  int groups = 0;
};

// Permutation test of one-way F: the groups' names are dealt out anew `replicates` times. Needs at
// least 2 groups and more values than groups; fails otherwise.
Result<GroupEffect> TestGroups(const Eigen::VectorXd& values, std::span<const std::string> groups,
                               int replicates, std::uint64_t seed);

}  // namespace couplingd
