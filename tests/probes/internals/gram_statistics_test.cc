#include "probes/internals/gram_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::MatrixXd;

constexpr PromptGroups kGroups{.reasoning = 20, .truthfulness = 30, .neutral = 10};

// Vectors around a common one; those of the first group are pushed by `push` along an axis of their
// own, those of the second the other way.
MatrixXd Vectors(double push, std::uint64_t seed, Eigen::Index width = 12) {
  Random random(seed);
  MatrixXd vectors(kGroups.All(), width);
  for (Eigen::Index row = 0; row < vectors.rows(); ++row) {
    for (Eigen::Index i = 0; i < width; ++i) vectors(row, i) = 0.3 * random.Normal();
    vectors(row, 0) += 1;
    if (row < kGroups.reasoning)
      vectors(row, 1) += push;
    else if (row < kGroups.Labelled())
      vectors(row, 1) -= push;
  }
  return vectors;
}

MatrixXd GramOf(const MatrixXd& vectors) { return vectors * vectors.transpose(); }

TEST(GramStatistics, CouplingIsTheCosineOfTheMeans) {
  const MatrixXd vectors = Vectors(0.4, 1);
  const Eigen::RowVectorXd a = vectors.topRows(20).colwise().mean();
  const Eigen::RowVectorXd b = vectors.middleRows(20, 30).colwise().mean();
  const Eigen::RowVectorXd m = vectors.bottomRows(10).colwise().mean();
  const PromptDraws draws = DrawPrompts(kGroups, 500, 200, 1);
  const Estimate coupling = CouplingOfMeans(GramOf(vectors), draws);
  EXPECT_NEAR(coupling.value, a.dot(b) / (a.norm() * b.norm()), 1e-12);
  EXPECT_LT(coupling.low, coupling.value);
  EXPECT_GT(coupling.high, coupling.value);
  EXPECT_NEAR(CentredCoupling(GramOf(vectors), draws).value,
              (a - m).dot(b - m) / ((a - m).norm() * (b - m).norm()), 1e-12);
}

TEST(GramStatistics, RandomLabelsShowWhetherTheSetsAreKeptApart) {
  const PromptDraws draws = DrawPrompts(kGroups, 200, 400, 1);
  const MatrixXd apart = GramOf(Vectors(1.0, 2));
  EXPECT_LT(CouplingOfMeans(apart, draws).high, RelabelledCoupling(apart, draws).range.low);
  EXPECT_LT(RelabelledCoupling(apart, draws).p, 0.01);
  const MatrixXd alike = GramOf(Vectors(0.0, 3));
  EXPECT_GT(RelabelledCoupling(alike, draws).p, 0.05);
}

TEST(GramStatistics, IntervalsHoldTheTruthAsOftenAsTheySay) {
  // The means are (1, p, 0, …) and (1, −p, 0, …), so that the cosine is (1 − p²) / (1 + p²).
  const double push = 0.5, truth = (1 - push * push) / (1 + push * push);
  int held = 0;
  constexpr int kRuns = 200;
  for (int run = 0; run < kRuns; ++run) {
    const PromptDraws draws = DrawPrompts(kGroups, 200, 1, 7);
    const Estimate c = CouplingOfMeans(GramOf(Vectors(push, 100 + run, 4)), draws);
    held += c.low <= truth && truth <= c.high ? 1 : 0;
  }
  EXPECT_GE(held, 180);  // 190 expected; 180 is 3.2 standard deviations below
}

TEST(GramStatistics, SetsThatPointApartCompete) {
  const PromptDraws draws = DrawPrompts(kGroups, 50, 100, 1);
  const MatrixXd apart = GramOf(Vectors(6.0, 4));
  EXPECT_DOUBLE_EQ(CompetingShare(apart, kGroups), 1.0);
  EXPECT_TRUE(Competes(CompetingShare(apart, kGroups)));
  // Under random labels about half of the pairs come from different sets: 2 · 0.4 · 0.6.
  const Eigen::VectorXd shares = RelabelledShares(apart, draws);
  EXPECT_NEAR(shares.mean(), 0.48, 0.05);
  EXPECT_DOUBLE_EQ(CompetingShare(GramOf(Vectors(0.0, 5)), kGroups), 0.0);
}

TEST(GramStatistics, AVectorThatIsZeroOrNotFiniteIsNeitherClass) {
  for (const double value :
       {0.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    MatrixXd vectors = Vectors(6.0, 6);
    vectors.row(3).setConstant(value);
    const double share = CompetingShare(GramOf(vectors), kGroups);
    EXPECT_FALSE(std::isfinite(share)) << value;
    EXPECT_FALSE(Competes(share)) << value;
  }
}

TEST(GramStatistics, ParticipationCountsTheDirectionsThatVary) {
  MatrixXd vectors = MatrixXd::Zero(kGroups.All(), 6);
  for (Eigen::Index row = 0; row < vectors.rows(); ++row) {
    vectors(row, row % 2) = row % 4 < 2 ? 3 : -3;  // two axes, equally
    vectors(row, 5) = 9;                           // shared by all: no variance
  }
  const Estimate ratio = ParticipationRatio(GramOf(vectors), kGroups);
  EXPECT_NEAR(ratio.value, 2.0, 0.01);
  EXPECT_GE(ratio.high, ratio.value);
  const Eigen::VectorXd eigenvalues = CovarianceEigenvalues(GramOf(vectors), kGroups);
  EXPECT_EQ(eigenvalues.size(), kGroups.Labelled() - 1);
  EXPECT_NEAR(eigenvalues.sum() * eigenvalues.sum() / eigenvalues.squaredNorm(), ratio.value, 1e-9);
  EXPECT_NEAR(eigenvalues(2), 0, 1e-9);
}

TEST(GramStatistics, VectorsThatAreAllTheSameHaveNoDimension) {
  const MatrixXd same = MatrixXd::Ones(kGroups.All(), 4);
  EXPECT_TRUE(std::isnan(ParticipationRatio(GramOf(same), kGroups).value));
}

TEST(GramStatistics, ADifferenceIsPairedDrawByDraw) {
  const PromptDraws draws = DrawPrompts(kGroups, 300, 1, 1);
  const MatrixXd gram = GramOf(Vectors(0.4, 8));
  const Estimate none = CouplingDifference(gram, 4 * gram, draws);
  EXPECT_NEAR(none.value, 0, 1e-12);
  EXPECT_NEAR(none.high - none.low, 0, 1e-12);
}

}  // namespace
}  // namespace couplingd
