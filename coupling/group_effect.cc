#include "coupling/group_effect.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::Index;

// Group of each value, numbered from 0.
std::vector<int> Numbered(std::span<const std::string> groups) {
  std::map<std::string, int> numbers;
  std::vector<int> numbered;
  for (const std::string& group : groups) {
    numbered.push_back(numbers.emplace(group, static_cast<int>(numbers.size())).first->second);
  }
  return numbered;
}

// values have mean 0.
double OneWayF(const Eigen::VectorXd& values, const std::vector<int>& group, int groups) {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(groups), count = Eigen::VectorXd::Zero(groups);
  for (Index i = 0; i < values.size(); ++i) {
    sum[group[i]] += values[i];
    count[group[i]] += 1;
  }
  const double between = (sum.array().square() / count.array()).sum();
  const double within = values.squaredNorm() - between;
  return (between / (groups - 1)) / (within / static_cast<double>(values.size() - groups));
}

}  // namespace

Result<GroupEffect> TestGroups(const Eigen::VectorXd& values, std::span<const std::string> groups,
                               int replicates, std::uint64_t seed) {
  std::vector<int> group = Numbered(groups);
  GroupEffect effect{.groups = group.empty() ? 0 : *std::ranges::max_element(group) + 1};
  if (effect.groups < 2 || values.size() <= effect.groups) {
    return Fail(ErrorKind::kInvalidData,
                "a comparison of groups needs 2 of them, and more values than groups");
  }
  const Eigen::VectorXd centred = values.array() - values.mean();
  effect.f = OneWayF(centred, group, effect.groups);
  Random random(seed);
  int as_large = 0;
  for (int i = 0; i < replicates; ++i) {
    random.Shuffle(group);
    as_large += OneWayF(centred, group, effect.groups) >= effect.f * (1 - 1e-12);
  }
  effect.p = (as_large + 1.0) / (replicates + 1.0);
  return effect;
}

}  // namespace couplingd
