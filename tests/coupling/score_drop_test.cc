#include "coupling/score_drop.h"

#include <gtest/gtest.h>

#include <boost/math/distributions/students_t.hpp>

#include "coupling/item_statistics.h"
#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

std::vector<double> Values(const JsonValue& array) {
  const Eigen::VectorXd values = fixtures::Vector(array);
  return {values.begin(), values.end()};
}

// Means and their covariance over the items.
LevelDrop DropOf(const std::vector<std::vector<double>>& scores, const StepNoise& noise,
                 bool lower_is_better = false) {
  std::vector<const std::vector<double>*> columns;
  Eigen::VectorXd means(scores.size());
  for (std::size_t k = 0; k < scores.size(); ++k) {
    columns.push_back(&scores[k]);
    means[static_cast<Eigen::Index>(k)] = MeanOfItems(scores[k], {})->value;
  }
  const double items = static_cast<double>(scores[0].size());
  const ItemUnits units = SumByUnit(columns, {});
  return DropBelowLevel(means, UnitCovariance(units.sums, units.sums, items), items - 1, noise,
                        lower_is_better);
}

const StepNoise kNoStepNoise = {.dof = 10};

TEST(ScoreDrop, OfTwoCheckpointsWithoutCheckpointNoiseIsThePairedTest) {
  const JsonDocument document = fixtures::Read("score_drop.json");
  for (const JsonValue& one : document["paired"].GetArray()) {
    const LevelDrop drop = DropOf({Values(one["before"]), Values(one["after"])}, kNoStepNoise);
    EXPECT_NEAR(drop.value / drop.standard_error, one["t"].GetDouble(), 1e-9);
    EXPECT_NEAR(drop.dof, one["df"].GetDouble(), 1e-6);
    const boost::math::students_t distribution(drop.dof);
    EXPECT_NEAR(
        boost::math::cdf(boost::math::complement(distribution, drop.value / drop.standard_error)),
        one["p"].GetDouble(), 1e-10);
  }
}

TEST(ScoreDrop, BelowALevelIsTheTestOfTheContrastOfEveryItem) {
  const JsonDocument document = fixtures::Read("score_drop.json");
  const JsonValue& level = document["level"];
  std::vector<std::vector<double>> scores;
  for (const JsonValue& row : level["items"].GetArray()) scores.push_back(Values(row));
  const LevelDrop drop = DropOf(scores, kNoStepNoise);
  EXPECT_NEAR(drop.value, level["drop"].GetDouble(), 1e-12);
  EXPECT_NEAR(drop.standard_error, level["standard_error"].GetDouble(), 1e-12);
  // Where lower is better the same fall is a gain.
  EXPECT_NEAR(DropOf(scores, kNoStepNoise, true).value, -level["drop"].GetDouble(), 1e-12);
}

TEST(ScoreDrop, CountsCheckpointNoiseOfEveryCheckpointComparedAndAllOfItAsEstimated) {
  const Eigen::VectorXd scores{{0.5, 0.5, 0.5, 0.4}};
  const Eigen::MatrixXd none = Eigen::MatrixXd::Zero(4, 4);
  const StepNoise noise{.deviation = 0.03, .dof = 12, .total_variance = 0.0009};
  const LevelDrop drop = DropBelowLevel(scores, none, 100, noise, false);
  EXPECT_NEAR(drop.standard_error, 0.03 * std::sqrt(4.0 / 3), 1e-12);
  EXPECT_NEAR(drop.dof, 12, 1e-9);
  // The noise came out as no more than that of the items: it is still not known to be none.
  const StepNoise hidden{.deviation = 0, .dof = 12, .total_variance = 0.0009};
  const LevelDrop cautious =
      DropBelowLevel(scores, 0.0009 * Eigen::MatrixXd::Identity(4, 4), 1000, hidden, false);
  EXPECT_LT(cautious.dof, 13);
}

TEST(ScoreDrop, OfManyCheckpointsHoldsThreeQuartersOfTheNoiseForThatOfCheckpoints) {
  const Eigen::VectorXd scores{{0.5, 0.5, 0.5, 0.4}};
  StepNoise noise{.deviation = 0, .dof = 12, .total_variance = 0.0009};
  noise.residuals = Eigen::VectorXd::Zero(16);
  const Eigen::MatrixXd items = 0.0009 * Eigen::MatrixXd::Identity(4, 4);
  const LevelDrop drop = DropBelowLevel(scores, items, 1e9, noise, false);
  EXPECT_NEAR(drop.standard_error, std::sqrt(1.75 * 0.0009 * 4 / 3), 1e-12);
  EXPECT_NEAR(drop.dof, 12 * std::pow(1.75 / 0.75, 2), 1e-4);
  noise.deviation = 0.03;  // more than that share: as measured
  EXPECT_NEAR(DropBelowLevel(scores, items, 1e9, noise, false).standard_error,
              std::sqrt(2 * 0.0009 * 4 / 3), 1e-12);
}

TEST(ScoreLevel, IsTheBestMeanOfNeighboursAndSaysHowManyThereWere) {
  const std::vector<double> scores = {0.2, 0.5, 0.4, 0.45, 0.9, 0.1};
  const ScoreLevel best = BestLevel(scores, 3, false);
  EXPECT_EQ(best.first, 2);
  EXPECT_NEAR(best.value, 1.75 / 3, 1e-12);
  EXPECT_EQ(best.candidates, 4);
  EXPECT_EQ(BestLevel(scores, 3, true).first, 0);
  EXPECT_EQ(BestLevel({0.3, 0.2}, 3, false).candidates, 1);
  EXPECT_NEAR(BestLevel({0.3, 0.2}, 3, false).value, 0.25, 1e-12);
}

}  // namespace
}  // namespace couplingd
