#include "coupling/statistics.h"

#include <gtest/gtest.h>

#include <limits>

#include "coupling/phase.h"
#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

TEST(Statistics, QuantilesAndCriticalValuesEqualNumpyAndScipy) {
  const JsonDocument document = fixtures::Read("statistics.json");
  const JsonValue& entry = document["cases"];
  const Eigen::VectorXd values = fixtures::Vector(entry["values"]);
  const std::vector<double> list(values.begin(), values.end());
  for (rapidjson::SizeType i = 0; i < entry["p"].Size(); ++i) {
    EXPECT_NEAR(Quantile(list, entry["p"][i].GetDouble()), entry["quantiles"][i].GetDouble(),
                1e-14);
  }
  EXPECT_NEAR(NormalCritical(0.95), entry["normal"].GetDouble(), 1e-12);
  for (rapidjson::SizeType i = 0; i < entry["dof"].Size(); ++i) {
    EXPECT_NEAR(StudentCritical(0.95, entry["dof"][i].GetDouble()), entry["student"][i].GetDouble(),
                1e-8);
  }
}

TEST(Statistics, QuantilesOrderInfinities) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Quantile({infinity, 1, infinity, infinity}, 1), infinity);
  EXPECT_EQ(Quantile({infinity, 1, infinity, infinity}, 0.9), infinity);
  EXPECT_EQ(Quantile({3}, 0.5), 3);
}

TEST(Phase, IsTheOneThatTheWholeIntervalLiesIn) {
  const PhaseBounds bounds;
  EXPECT_EQ(ClassifyPhase(-0.5, -0.11, bounds), Phase::kTax);
  EXPECT_EQ(ClassifyPhase(-0.5, -0.1, bounds), Phase::kUndetermined);
  EXPECT_EQ(ClassifyPhase(-0.1, 0.1, bounds), Phase::kTransition);
  EXPECT_EQ(ClassifyPhase(0.11, std::numeric_limits<double>::infinity(), bounds), Phase::kBonus);
  EXPECT_EQ(ClassifyPhase(-std::numeric_limits<double>::infinity(),
                          std::numeric_limits<double>::infinity(), bounds),
            Phase::kUndetermined);
}

}  // namespace
}  // namespace couplingd
