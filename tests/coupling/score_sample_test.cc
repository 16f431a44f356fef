#include "coupling/score_sample.h"

#include <gtest/gtest.h>

#include "tests/coupling/simulation.h"

namespace couplingd {
namespace {

using Eigen::MatrixXd;

AxisSeries FourCheckpoints(std::uint64_t seed = 5) {
  return simulation::Simulate({{100, 200, 400, 800}, {0.3, 0.45, 0.6, 0.8}, {0.5, 0.45, 0.4, 0.35}},
                              CouplingOver::kSteps,
                              {.reasoning_items = 300, .truthfulness_items = 200}, seed);
}

MatrixXd CovarianceOf(const MatrixXd& draws) {
  const MatrixXd centred = draws.rowwise() - draws.colwise().mean();
  return centred.transpose() * centred / static_cast<double>(draws.rows() - 1);
}

TEST(ScoreSample, DrawsHaveTheCovarianceOfTheItems) {
  const AxisSeries series = FourCheckpoints();
  const ScoreSample sample = DrawScores(series, series.observations, 20000, 1);
  const MatrixXd drawn = CovarianceOf(sample.reasoning.draws);
  // 300 items: the largest variance is 0.25 / 300 = 8.3e-4; 20,000 draws give it to 1 %.
  EXPECT_LT((drawn - sample.reasoning.covariance).cwiseAbs().maxCoeff(), 3e-5);
  // Items keep their difficulty: neighbouring checkpoints share most of their error.
  EXPECT_GT(sample.reasoning.covariance(1, 2), 0.5 * sample.reasoning.covariance(1, 1));
  EXPECT_LT(MovementVariance(sample.reasoning).maxCoeff(),
            sample.reasoning.covariance.diagonal().maxCoeff());
}

TEST(ScoreSample, ItemsOfOneClusterAreDrawnTogether) {
  AxisSeries series = FourCheckpoints();
  const ScoreSample alone = DrawScores(series, series.observations, 100, 1);
  // Ten copies of every item, each with its original as the cluster: no new information.
  for (AxisObservation& at : series.observations) {
    const std::vector<double> once = at.truthfulness_items;
    for (int copy = 1; copy < 10; ++copy) {
      at.truthfulness_items.insert(at.truthfulness_items.end(), once.begin(), once.end());
    }
  }
  for (int i = 0; i < 2000; ++i) series.truthfulness_clusters.push_back(std::to_string(i % 200));
  const ScoreSample copied = DrawScores(series, series.observations, 100, 1);
  EXPECT_TRUE(copied.truthfulness.covariance.isApprox(alone.truthfulness.covariance, 1e-9));
}

TEST(ScoreSample, AxesThatShareItemsAreDrawnTogether) {
  AxisSeries series = FourCheckpoints();
  for (AxisObservation& at : series.observations) at.truthfulness_items = at.reasoning_items;
  series.axes_share_items = true;
  const ScoreSample sample = DrawScores(series, series.observations, 200, 1);
  EXPECT_TRUE(sample.cross.isApprox(sample.reasoning.covariance));
  EXPECT_EQ(sample.reasoning.draws, sample.truthfulness.draws);
}

TEST(ScoreSample, TheSameSeedGivesTheSameBits) {
  const AxisSeries series = FourCheckpoints();
  const ScoreSample a = DrawScores(series, series.observations, 150, 9);
  const ScoreSample b = DrawScores(series, series.observations, 150, 9);
  const ScoreSample c = DrawScores(series, series.observations, 150, 10);
  EXPECT_EQ(a.reasoning.draws, b.reasoning.draws);
  EXPECT_NE(a.reasoning.draws, c.reasoning.draws);
}

}  // namespace
}  // namespace couplingd
