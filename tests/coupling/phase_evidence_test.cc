// The evidence behind phase alerts: equal to an independent implementation, and held at its level.
#include "coupling/phase_evidence.h"

#include <array>
#include <cmath>

#include "coupling/local_coupling.h"
#include "coupling/statistics.h"
#include "tests/coupling/fixtures.h"
#include "tests/coupling/simulation.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

std::vector<double> Items(const JsonValue& text) {
  std::vector<double> items;
  for (const char digit : std::string(text.GetString())) items.push_back(digit == '1');
  return items;
}

PhaseEvidence EvidenceOf(const AxisSeries& series, const VectorXd& positions, Index first) {
  const ScoreSample all = DrawScores(series, series.observations, 1, 1);
  return MeasureEvidence(WindowEvidenceInput(series.axes, all, 0, first, positions,
                                             all.reasoning.scores, all.truthfulness.scores),
                         {});
}

void ExpectClose(double actual, double expected) {
  EXPECT_NEAR(std::log(actual), std::log(expected), 1e-7) << actual << " and " << expected;
}

TEST(NoiseTail, IsThatOfTheSumOfANormalAndAStudentVariable) {
  const JsonDocument oracle = fixtures::Read("evidence.json");
  for (const JsonValue& tail : oracle["tails"].GetArray()) {
    ExpectClose(NoiseTail(tail["change"].GetDouble(), tail["known"].GetDouble(),
                          tail["measured"].GetDouble(), tail["dof"].GetDouble()),
                tail["p"].GetDouble());
  }
  EXPECT_NEAR(NoiseTail(2, 1, 0, 3), 0.0227501319, 1e-9);
}

TEST(PhaseEvidence, EqualsTheDefinitionComputedItemByItem) {
  const JsonDocument oracle = fixtures::Read("evidence.json");
  for (const JsonValue& run : oracle["runs"].GetArray()) {
    AxisSeries series{.axes_share_items = true};
    if (run["fractions"].GetBool())
      series.axes = {.reasoning = {"r", "acc"}, .truthfulness = {"t", "acc"}};
    else
      series.axes = {.reasoning = {"r", "perplexity"}, .truthfulness = {"t", "perplexity"}};
    const JsonValue &reasoning = run["reasoning"], &truthfulness = run["truthfulness"];
    for (rapidjson::SizeType k = 0; k < reasoning.Size(); ++k) {
      series.observations.push_back({.step = k + 1.0,
                                     .reasoning_items = Items(reasoning[k]),
                                     .truthfulness_items = Items(truthfulness[k])});
    }
    const PhaseEvidence evidence =
        EvidenceOf(series, fixtures::Vector(run["positions"]), run["first"].GetInt());
    const JsonValue& expected = run["expected"];
    ExpectClose(evidence.reasoning_rises, expected["reasoning_rises"].GetDouble());
    ExpectClose(evidence.below_tax, expected["below_tax"].GetDouble());
    ExpectClose(evidence.above_tax, expected["above_tax"].GetDouble());
    ExpectClose(evidence.below_bonus, expected["below_bonus"].GetDouble());
    ExpectClose(evidence.above_bonus, expected["above_bonus"].GetDouble());
  }
}

// 100 checkpoints at even steps; reasoning rises by `rise`, truthfulness by gamma times as much.
simulation::Trajectory Drift(double rise, double gamma) {
  simulation::Trajectory truth;
  for (int k = 1; k <= 100; ++k) {
    const double moved = rise * std::log10(k) / 2;
    truth.places.push_back(k * 100);
    truth.reasoning.push_back(0.3 + moved);
    truth.truthfulness.push_back(0.5 + gamma * moved);
  }
  return truth;
}

VectorXd Positions(const AxisSeries& series) {
  VectorXd positions(static_cast<Index>(series.observations.size()));
  for (Index k = 0; k < positions.size(); ++k) {
    positions[k] = std::log10(series.observations[k].step);
  }
  return positions;
}

// Looks of `runs` runs whose evidence for the tax phase is at or below `level`.
struct Tally {
  int looks = 0, hits = 0, runs_hit = 0;
};

Tally CountTaxEvidence(const simulation::Trajectory& truth, const simulation::Setting& setting,
                       int runs, double level) {
  Tally tally;
  for (int run = 0; run < runs; ++run) {
    const AxisSeries series =
        simulation::Simulate(truth, CouplingOver::kSteps, setting, 1000 + run);
    const ScoreSample all = DrawScores(series, series.observations, 1, 1);
    const VectorXd positions = Positions(series);
    bool hit = false;
    for (Index last = 11; last < positions.size(); last += 4) {
      const Index first = std::min<Index>(last - 7, static_cast<Index>(0.56 * (last + 1)));
      const PhaseEvidence evidence =
          MeasureEvidence(WindowEvidenceInput(series.axes, all, 0, first, positions.head(last + 1),
                                              all.reasoning.scores.head(last + 1),
                                              all.truthfulness.scores.head(last + 1)),
                          {});
      const bool is_tax = std::max(evidence.reasoning_rises, evidence.below_tax) <= level;
      ++tally.looks;
      tally.hits += is_tax;
      hit |= is_tax;
    }
    tally.runs_hit += hit;
  }
  return tally;
}

constexpr simulation::Setting kNoisy{
    .reasoning_items = 200, .truthfulness_items = 200, .checkpoint_noise = 0.01, .flips = 0.3};

// The hardest case: γ lies on the bound itself, and reasoning moves for all to see. A statistic
// whose variance left out the checkpoint noise, or the items, would exceed its level many times.
TEST(PhaseEvidence, HoldsItsLevelAtEveryLookWhereTheCouplingLiesOnTheBound) {
  const Tally tally = CountTaxEvidence(Drift(0.6, -0.1), kNoisy, 200, 0.02);
  ASSERT_EQ(tally.looks, 200 * 23);
  EXPECT_LE(tally.hits, 0.02 * tally.looks);
  EXPECT_GE(tally.hits, 1);  // and does not hold it by never saying anything
}

TEST(PhaseEvidence, IsSilentWhereNothingMoves) {
  const Tally tally = CountTaxEvidence(Drift(0, 0), kNoisy, 100, 0.02);
  EXPECT_LE(tally.hits, 0.005 * tally.looks);
}

TEST(PhaseEvidence, FindsATax) {
  const Tally tally = CountTaxEvidence(Drift(0.6, -0.8), kNoisy, 50, 1e-4);
  EXPECT_GE(tally.runs_hit, 45);
}

TEST(PhaseEvidence, ClaimsNothingFromAnAxisThatDoesNotMoveHoweverFarTheOtherFalls) {
  simulation::Trajectory truth = Drift(0, 0);
  for (std::size_t k = 0; k < 100; ++k) truth.truthfulness[k] = 0.9 - 0.008 * k;
  EXPECT_LE(CountTaxEvidence(truth, kNoisy, 20, 1e-3).hits, 1);
}

TEST(PhaseEvidence, TurnsItsSidesWithTheDirectionOfTime) {
  EvidenceInput input;
  input.positions = VectorXd::LinSpaced(20, 0, 1);
  input.reasoning = VectorXd::LinSpaced(20, 0.2, 0.6);
  input.truthfulness = VectorXd::LinSpaced(20, 0.8, 0.4);
  for (Index k = 0; k < 20; ++k) input.truthfulness[k] += k % 3 == 0 ? 0.01 : -0.005;
  input.change = {1e-4, 1e-4, 0};
  input.rough = {1e-5, 1e-5, 0};
  input.reasoning_step = input.truthfulness_step = 1e-3;
  const PhaseEvidence forwards = MeasureEvidence(input, {});
  input.reasoning = input.reasoning.reverse().eval();
  input.truthfulness = input.truthfulness.reverse().eval();
  const PhaseEvidence backwards = MeasureEvidence(input, {});
  EXPECT_LT(forwards.below_tax, 1e-6);
  EXPECT_LT(forwards.reasoning_rises, 1e-6);
  EXPECT_NEAR(forwards.below_tax, backwards.above_tax, 1e-12);
  EXPECT_GT(backwards.reasoning_rises, 0.999);
}

TEST(CombinedEvidence, IsThatOfTheClearestWindowOverItsShareAndOfReasoningRisingInTheSameWindow) {
  EXPECT_DOUBLE_EQ(WindowShare(0, 1), 1);
  for (const std::size_t count : {2u, 3u}) {
    double sum = 0;
    for (std::size_t window = 0; window < count; ++window) sum += WindowShare(window, count);
    EXPECT_DOUBLE_EQ(sum, 1);
  }
  const PhaseEvidence narrow{0.01, 0.02, 0.98, 0.001, 0.999};
  const PhaseEvidence wide{1e-6, 1e-5, 1, 1e-9, 1};
  const PhaseEvidence alone = CombineEvidence(std::array{narrow});
  EXPECT_DOUBLE_EQ(alone.below_tax, 0.02);
  EXPECT_DOUBLE_EQ(alone.above_tax, 0.98);
  const PhaseEvidence both = CombineEvidence(std::array{narrow, wide});
  EXPECT_DOUBLE_EQ(both.below_tax, 2e-5);
  EXPECT_DOUBLE_EQ(both.reasoning_rises, 2e-6);
  EXPECT_DOUBLE_EQ(both.above_tax, 0.98) << "a phase is left by the narrowest window";
  EXPECT_DOUBLE_EQ(both.below_bonus, 0.001);
  // Reasoning rises in one window, truthfulness falls in another: neither shows a tax.
  const PhaseEvidence rises{1e-9, 0.4, 0.6, 0.4, 0.6}, falls{0.45, 1e-9, 1, 1e-9, 1};
  EXPECT_GE(CombineEvidence(std::array{falls, rises}).below_tax, 0.8);
  // What the wide window still shows has turned in the narrow one.
  const PhaseEvidence turned{1e-4, 0.7, 0.3, 0.9, 0.1};
  EXPECT_GE(CombineEvidence(std::array{turned, wide}).below_tax, 0.7);
}

// The same runs through the windows that a history has: at the bound they hold the level together.
TEST(CombinedEvidence, HoldsItsLevelOverNestedWindows) {
  int looks = 0, hits = 0;
  for (int run = 0; run < 15; ++run) {
    const AxisSeries series =
        simulation::Simulate(Drift(0.6, -0.1), CouplingOver::kSteps, kNoisy, 5000 + run);
    const auto history = CouplingHistory(series, {.replicates = 100});
    ASSERT_TRUE(history) << history.error().Text();
    for (const LocalCoupling& at : *history) {
      if (!at.estimate.evidence) continue;
      ++looks;
      hits += at.estimate.evidence->below_tax <= 0.02;
    }
  }
  EXPECT_GT(looks, 15 * 60);
  EXPECT_LE(hits, 0.02 * looks);
}

TEST(CombinedEvidence, FindsASlowTaxThatTheNarrowestWindowAloneDoesNot) {
  const AxisSeries series =
      simulation::Simulate(Drift(0.5, -0.8), CouplingOver::kSteps, kNoisy, 77);
  const auto history = CouplingHistory(series, {.replicates = 100});
  ASSERT_TRUE(history) << history.error().Text();
  const PhaseEvidence& newest = *history->back().estimate.evidence;
  const auto alone = CouplingOverSteps(series, {.replicates = 100});
  ASSERT_TRUE(alone && alone->estimate.evidence);
  const double narrow =
      std::max(alone->estimate.evidence->reasoning_rises, alone->estimate.evidence->below_tax);
  const double nested = std::max(newest.reasoning_rises, newest.below_tax);
  EXPECT_LT(nested, narrow / 100);
  EXPECT_LT(nested, 1e-5);
}

}  // namespace
}  // namespace couplingd
