#include "coupling/ode_ensemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// dr/dx = 0.5 − 0.6 r, dt/dx = −0.1, with noise; `shift` moves the start.
OdeRows Rows(double noise, std::uint64_t seed, double shift = 0) {
  OdeModel truth{.degree = 1, .coefficients = MatrixXd(3, 2)};
  truth.coefficients << 0.5, -0.1, -0.6, 0, 0, 0;
  const VectorXd x = VectorXd::LinSpaced(16, 0, 3);
  auto scores = IntegrateOde(truth, 0, Eigen::Vector2d(0.1 + shift, 0.6 - shift), x);
  EXPECT_TRUE(scores);
  Random random(seed);
  for (double& score : scores->reshaped()) score += noise * random.Normal();
  return MakeOdeRows(x, *scores);
}

TEST(OdeEnsemble, TermsThatAreThereAreKeptAndTheirIntervalsHoldThem) {
  const auto ensemble = FitOdeEnsemble(Rows(0.001, 1), {}, {});
  ASSERT_TRUE(ensemble) << ensemble.error().Text();
  EXPECT_GT(ensemble->inclusion(0, 0), 0.99);
  EXPECT_GT(ensemble->inclusion(1, 0), 0.99);
  EXPECT_GE(ensemble->inclusion(0, 1), ensemble->inclusion(2, 1));
  EXPECT_LE(ensemble->low(1, 0), -0.6 + 0.05);
  EXPECT_GE(ensemble->high(1, 0), -0.6 - 0.05);
  EXPECT_GT(ensemble->replicates, 450);
}

TEST(OdeEnsemble, ItemNoiseWidensTheIntervals) {
  std::vector<OdeRows> items;
  for (std::uint64_t seed = 2; seed < 42; ++seed) items.push_back(Rows(0.01, seed));
  const auto alone = FitOdeEnsemble(Rows(0.0005, 1), {}, {});
  const auto with = FitOdeEnsemble(Rows(0.0005, 1), items, {});
  ASSERT_TRUE(alone && with);
  EXPECT_GT(with->high(1, 0) - with->low(1, 0), 2 * (alone->high(1, 0) - alone->low(1, 0)));
}

TEST(OdeEnsemble, ALadderOfRunsIsOneLaw) {
  const OdeRows ladder = StackOdeRows({Rows(0.002, 1), Rows(0.002, 2, 0.1), Rows(0.002, 3, 0.2)});
  EXPECT_EQ(ladder.states.rows(), 45);
  const auto ensemble = FitOdeEnsemble(ladder, {}, {});
  ASSERT_TRUE(ensemble) << ensemble.error().Text();
  EXPECT_NEAR(ensemble->fit.model.coefficients(0, 0), 0.5, 0.05);
  EXPECT_NEAR(ensemble->fit.model.coefficients(1, 0), -0.6, 0.1);
}

TEST(OdeEnsemble, RefusesWithoutDegreesOfFreedomAndWithTooFewReplicates) {
  const OdeRows few = MakeOdeRows(VectorXd::LinSpaced(4, 0, 1), MatrixXd::Random(4, 2));
  const auto refused = FitOdeEnsemble(few, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().Text(), ::testing::HasSubstr("no degrees of freedom"));
  EXPECT_FALSE(FitOdeEnsemble(Rows(0.001, 1), {}, {.replicates = 10}));
}

TEST(OdeEnsemble, NamesTermsInTheOrderOfTheLibrary) {
  EXPECT_THAT(OdeTermNames({"r", "t"}, 2),
              ::testing::ElementsAre("1", "r", "t", "r²", "r·t", "t²"));
}

}  // namespace
}  // namespace couplingd
