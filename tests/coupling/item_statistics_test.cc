#include "coupling/item_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coupling/correlation.h"
#include "coupling/step_noise.h"
#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

std::vector<double> Values(const JsonValue& array) {
  const Eigen::VectorXd vector = fixtures::Vector(array);
  return {vector.begin(), vector.end()};
}

std::vector<std::string> Names(const JsonValue& array) {
  std::vector<std::string> names;
  for (const JsonValue& name : array.GetArray()) names.emplace_back(name.GetString());
  return names;
}

TEST(ItemStatistics, AreThoseOfStatsmodelsWithAndWithoutClusters) {
  const JsonDocument document = fixtures::Read("item_statistics.json");
  for (const JsonValue& one : document["items"].GetArray()) {
    const std::vector<double> a = Values(one["a"]), b = Values(one["b"]);
    const std::vector<std::string> clusters = Names(one["clusters"]);
    const auto mean = MeanOfItems(b, clusters);
    ASSERT_TRUE(mean) << mean.error().Text();
    EXPECT_NEAR(mean->value, one["mean"].GetDouble(), 1e-12);
    EXPECT_NEAR(mean->standard_error, one["stderr"].GetDouble(), 1e-12);
    const auto paired = DifferenceOnItems(a, b, clusters);
    ASSERT_TRUE(paired);
    EXPECT_NEAR(paired->difference.value, one["difference"].GetDouble(), 1e-12);
    EXPECT_NEAR(paired->difference.standard_error, one["difference_stderr"].GetDouble(), 1e-12);
    EXPECT_LT(paired->difference.standard_error, paired->unpaired_standard_error);
    const std::vector<const std::vector<double>*> columns{&a, &b};
    const ItemUnits units = SumByUnit(columns, clusters);
    const Eigen::MatrixXd covariance =
        UnitCovariance(units.sums, units.sums, static_cast<double>(a.size()));
    EXPECT_NEAR(covariance(0, 1), one["covariance"].GetDouble(), 1e-12);
    if (!one.HasMember("paired_p")) continue;
    const ItemMean& difference = paired->difference;
    EXPECT_NEAR(difference.value / difference.standard_error, one["paired_t"].GetDouble(), 1e-9);
    EXPECT_NEAR(TwoSidedP(difference.value, difference.standard_error, difference.items - 1),
                one["paired_p"].GetDouble(), 1e-10);
  }
}

TEST(ItemStatistics, RefuseItemsThatDoNotBelongTogether) {
  EXPECT_THAT(MeanOfItems({}, {}).error().message, HasSubstr("no items"));
  EXPECT_THAT(MeanOfItems({1, 2}, {"a"}).error().message, HasSubstr("1 clusters for 2 items"));
  EXPECT_THAT(MeanOfItems({1, NAN}, {}).error().message, HasSubstr("item 1 has the value nan"));
  EXPECT_THAT(DifferenceOnItems({1, 2}, {1}, {}).error().message, HasSubstr("2 items on one side"));
}

TEST(StepNoise, IsThatOfNumpyAndScipy) {
  const JsonDocument document = fixtures::Read("item_statistics.json");
  for (const JsonValue& one : document["step_noise"].GetArray()) {
    const NoisyTrajectory trajectory{fixtures::Vector(one["positions"]),
                                     fixtures::Vector(one["scores"]),
                                     fixtures::Matrix(one["covariance"])};
    const auto noise = MeasureStepNoise(trajectory, 0.95);
    ASSERT_TRUE(noise) << noise.error().Text();
    EXPECT_NEAR(noise->dof, one["dof"].GetDouble(), 1e-10);
    EXPECT_NEAR(noise->total_variance, one["total"].GetDouble(), 1e-12);
    EXPECT_NEAR(noise->item_variance, one["items"].GetDouble(), 1e-12);
    EXPECT_NEAR(noise->deviation, one["deviation"].GetDouble(), 1e-10);
    EXPECT_NEAR(noise->low, one["low"].GetDouble(), 1e-10);
    EXPECT_NEAR(noise->high, one["high"].GetDouble(), 1e-10);
    const TrendChange change = MeasureTrendChange(trajectory, noise->deviation);
    EXPECT_NEAR(change.change, one["change"].GetDouble(), 1e-10);
    EXPECT_NEAR(change.standard_error, one["change_stderr"].GetDouble(), 1e-10);
  }
}

TEST(StepNoise, NeedsFiveCheckpointsAndIsNothingOnALine) {
  NoisyTrajectory line{Eigen::VectorXd::LinSpaced(4, 1, 4), Eigen::VectorXd::LinSpaced(4, 0, 1),
                       Eigen::MatrixXd::Zero(4, 4)};
  EXPECT_THAT(MeasureStepNoise(line, 0.95).error().message,
              HasSubstr("4 checkpoints; 5 are needed"));
  line = {Eigen::VectorXd::LinSpaced(9, 1, 4), Eigen::VectorXd::LinSpaced(9, 0, 1),
          Eigen::MatrixXd::Zero(9, 9)};
  EXPECT_NEAR(MeasureStepNoise(line, 0.95)->deviation, 0, 1e-12);
}

TEST(ItemStatistics, CorrelationsHolmAndPowerAreThoseOfScipyAndStatsmodels) {
  const JsonDocument document = fixtures::Read("item_statistics.json");
  for (const JsonValue& one : document["correlation"].GetArray()) {
    const auto found = PearsonCorrelation(fixtures::Vector(one["a"]), fixtures::Vector(one["b"]));
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->r, one["value"].GetDouble(), 1e-12);
    EXPECT_NEAR(found->interval.low, one["low"].GetDouble(), 1e-9);
    EXPECT_NEAR(found->interval.high, one["high"].GetDouble(), 1e-9);
  }
  EXPECT_FALSE(PearsonCorrelation(Eigen::VectorXd::Ones(6), Eigen::VectorXd::LinSpaced(6, 0, 1)));
  const std::vector<double> adjusted = HolmAdjusted(Values(document["holm"]["p"]));
  const std::vector<double> expected = Values(document["holm"]["adjusted"]);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-12);
  // statsmodels counts the far tail too.
  EXPECT_NEAR(DetectionFactor(0.95, 0.8), document["detection_factor"].GetDouble(), 1e-5);
}

}  // namespace
}  // namespace couplingd
