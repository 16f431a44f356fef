#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "coupling/critical_scale.h"
#include "coupling/local_coupling.h"
#include "tests/coupling/simulation.h"

namespace couplingd {
namespace {

using simulation::Simulate;
using simulation::Trajectory;
using ::testing::HasSubstr;

// Parameters of the demo's widths 8, 16, 32, 64, 128 and the last step of its mixes, by seed.
const std::vector<double> kSizes{6088, 14736, 39712, 120384, 404608};
const Trajectory kWeb0{kSizes, {.30, .52, .90, .96, .91}, {.43, .35, .24, .14, .17}};
const Trajectory kWeb1{kSizes, {.34, .53, .84, .84, .86}, {.47, .41, .21, .19, .18}};
const Trajectory kCurated0{kSizes, {.28, .50, .76, .94, .94}, {.59, .74, .83, .93, .92}};
const Trajectory kMixed0{kSizes, {.32, .41, .78, .98, .95}, {.47, .43, .31, .62, .62}};
const Trajectory kMixed1{kSizes, {.30, .45, .84, .90, .95}, {.47, .35, .38, .50, .66}};

AxisSeries Family(const Trajectory& truth, std::uint64_t seed) {
  return Simulate(truth, CouplingOver::kScale, {}, seed);
}

TEST(CouplingOverScale, CallsTheDemosWebLadderATax) {
  for (const Trajectory& truth : {kWeb0, kWeb1}) {
    const auto coupling = CouplingOverScale(Family(truth, 3), {});
    ASSERT_TRUE(coupling);
    EXPECT_EQ(coupling->population.estimate.phase, Phase::kTax)
        << coupling->population.estimate.reason;
    EXPECT_EQ(coupling->population.estimate.n, 5);
    EXPECT_EQ(coupling->population.estimate.at, 404608);
  }
}

TEST(CouplingOverScale, TheDemosCuratedLadderIsABonus) {
  const auto coupling = CouplingOverScale(Family(kCurated0, 3), {});
  ASSERT_TRUE(coupling);
  EXPECT_EQ(coupling->population.estimate.phase, Phase::kBonus);
}

TEST(CouplingOverScale, AllSizesTogetherAreEvidenceFromFourOnAndPairsNever) {
  const auto web = CouplingOverScale(Family(kWeb0, 3), {});
  ASSERT_TRUE(web);
  ASSERT_TRUE(web->population.estimate.evidence);
  const PhaseEvidence& tax = *web->population.estimate.evidence;
  EXPECT_LT(std::max(tax.reasoning_rises, tax.below_tax), 1e-3);
  EXPECT_GT(tax.above_tax, 0.99);
  for (const LocalCoupling& pair : web->local) EXPECT_FALSE(pair.estimate.evidence);
  AxisSeries three = Family(kWeb0, 3);
  three.observations.resize(3);
  const auto few = CouplingOverScale(three, {});
  ASSERT_TRUE(few && few->population.estimate.gamma);
  EXPECT_FALSE(few->population.estimate.evidence);
}

TEST(CouplingOverScale, LocalCouplingChangesSignInTheDemosMixedLadder) {
  const auto coupling = CouplingOverScale(Family(kMixed0, 3), {});
  ASSERT_TRUE(coupling);
  ASSERT_EQ(coupling->local.size(), 4u);
  const CouplingEstimate& before = coupling->local[1].estimate;
  EXPECT_EQ(before.phase, Phase::kTax);
  EXPECT_NEAR(std::log10(before.at), (std::log10(14736) + std::log10(39712)) / 2, 1e-9);
  EXPECT_EQ(before.method, "difference+item-bootstrap");
  EXPECT_EQ(coupling->local[2].estimate.phase, Phase::kBonus);
  EXPECT_EQ(coupling->population.estimate.phase, Phase::kUndetermined);
}

TEST(CouplingOverScale, APairWhoseReasoningStoodStillHasAnUnboundedInterval) {
  const auto coupling = CouplingOverScale(Family(kWeb1, 3), {});
  ASSERT_TRUE(coupling);
  const CouplingEstimate& still = coupling->local[2].estimate;  // 84 and 84 %
  EXPECT_EQ(still.phase, Phase::kUndetermined);
  EXPECT_TRUE(std::isinf(*still.low) && std::isinf(*still.high));
  EXPECT_THAT(still.reason, HasSubstr("reasoning moved by"));
}

TEST(CouplingOverScale, NamesTheSizesThatAreMissing) {
  AxisSeries family = Family(kWeb0, 3);
  family.observations.resize(2);
  const auto two = CouplingOverScale(family, {});
  ASSERT_TRUE(two);
  EXPECT_EQ(two->local.size(), 1u);
  EXPECT_FALSE(two->population.estimate.gamma);
  EXPECT_THAT(two->population.estimate.reason,
              HasSubstr("2 sizes; a line over scale needs at least 3"));
  family.observations[0].parameters.reset();
  EXPECT_FALSE(CouplingOverScale(family, {}));
}

TEST(ForecastByTurn, FindsTheDemosCriticalWidth) {
  // The recipe gives 29k [27k, 32k] for seed 0 and 22k [19k, 25k] for seed 1.
  const auto seed0 = ForecastByTurn(Family(kMixed0, 3), {});
  ASSERT_TRUE(seed0);
  EXPECT_EQ(seed0->quantity, "N_c");
  EXPECT_NEAR(*seed0->value, 29e3, 2e3);
  EXPECT_GT(*seed0->p_crossing, 0.98);
  EXPECT_THAT(seed0->reason, HasSubstr("sampling error only"));
  EXPECT_LT(*seed0->high / *seed0->low, 1.4);
  const auto seed1 = ForecastByTurn(Family(kMixed1, 3), {});
  ASSERT_TRUE(seed1);
  EXPECT_NEAR(*seed1->value, 22e3, 3e3);
  const auto web = ForecastByTurn(Family(kWeb0, 3), {});
  ASSERT_TRUE(web);
  EXPECT_FALSE(web->value);
  EXPECT_LT(*web->p_crossing, 0.3);
}

TEST(ForecastByLine, FindsTheDemosCriticalWidth) {
  const auto forecast = ForecastByLine(Family(kMixed0, 3), CouplingOver::kScale, {});
  ASSERT_TRUE(forecast);
  EXPECT_GT(*forecast->p_crossing, 0.9);
  EXPECT_LT(*forecast->low, 29e3);
  EXPECT_GT(*forecast->high, 29e3);
}

TEST(ForecastSignChange, RefusesFewerThanFourSizesAndSaysHowManyAreMissing) {
  AxisSeries family = Family(kMixed0, 3);
  family.observations.resize(3);
  const auto forecasts = ForecastSignChange(family, CouplingOver::kScale, {});
  ASSERT_TRUE(forecasts);
  ASSERT_EQ(forecasts->size(), 4u);
  for (const Forecast& forecast : *forecasts) {
    EXPECT_FALSE(forecast.value);
    EXPECT_EQ(forecast.reason, "3 sizes; at least 4 are needed (1 more)");
  }
}

TEST(ForecastByOde, RefusesWithoutDegreesOfFreedom) {
  AxisSeries family = Family(kMixed0, 3);
  family.observations.resize(4);
  const auto forecast = ForecastByOde(family, CouplingOver::kScale, {});
  ASSERT_TRUE(forecast);
  EXPECT_FALSE(forecast->value);
  EXPECT_THAT(forecast->reason, HasSubstr("no degrees of freedom"));
}

// Truthfulness falls until 3e9 tokens and rises after; reasoning rises throughout.
Trajectory TurningRun() {
  Trajectory run;
  for (int k = 0; k < 24; ++k) {
    const double x = k / 23.0;  // 1.2 decades of steps
    run.places.push_back(std::round(1000 * std::pow(10, 1.2 * x)));
    run.reasoning.push_back(0.30 + 0.5 * x);
    run.truthfulness.push_back(0.40 + 0.6 * (x - 0.5) * (x - 0.5));
  }
  return run;
}

TEST(ForecastOverSteps, FindsTheTokensAtWhichARunTurns) {
  const AxisSeries run = Simulate(TurningRun(), CouplingOver::kSteps, {1000, 1000}, 6);
  const double truth = 400 * 1000 * std::pow(10, 0.6);
  for (const auto method : {ForecastByUShape, ForecastByLine}) {
    const auto forecast = method(run, CouplingOver::kSteps, {});
    ASSERT_TRUE(forecast);
    EXPECT_EQ(forecast->quantity, "D_c");
    EXPECT_EQ(forecast->run, "simulated");
    ASSERT_TRUE(forecast->value) << forecast->reason;
    EXPECT_NEAR(std::log10(*forecast->value), std::log10(truth), 0.05) << forecast->method;
    EXPECT_LT(*forecast->high / *forecast->low, 2.0) << forecast->method;
  }
}

TEST(ForecastOverSteps, NeedsTokens) {
  AxisSeries run = Simulate(TurningRun(), CouplingOver::kSteps, {}, 6);
  run.observations[3].tokens.reset();
  const auto forecast = ForecastByUShape(run, CouplingOver::kSteps, {});
  ASSERT_TRUE(forecast);
  EXPECT_FALSE(forecast->value);
  EXPECT_THAT(forecast->reason, HasSubstr("tokens_per_step"));
}

}  // namespace
}  // namespace couplingd
