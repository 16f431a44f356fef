// The evidence behind phase alerts: equal to an independent implementation, and held at its level.
#include "coupling/phase_evidence.h"

#include <cmath>

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
  return MeasureEvidence(
      WindowEvidenceInput(series.axes, SelectPlaces(all, first, positions.size() - first),
                          positions, all.reasoning.scores, all.truthfulness.scores),
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
      const Index count = last + 1 - first;
      const PhaseEvidence evidence = MeasureEvidence(
          WindowEvidenceInput(series.axes, SelectPlaces(all, first, count),
                              positions.head(last + 1), all.reasoning.scores.head(last + 1),
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

}  // namespace
}  // namespace couplingd
