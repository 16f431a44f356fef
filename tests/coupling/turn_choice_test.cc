#include "coupling/turn_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "coupling/reference_panel.h"
#include "coupling/turn_of_others.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

constexpr double kTurn = 0.6;  // of reasoning, where truthfulness is least

// Families that differ in how soon they reason; the coupling is the same curve of reasoning.
std::vector<AxisSeries> Families(int count, int sizes, double noise, std::uint64_t seed) {
  Random random(seed);
  std::vector<AxisSeries> families;
  for (int f = 0; f < count; ++f) {
    AxisSeries family{.family = "Family-" + std::to_string(f),
                      .axes = {"panel", {"r", "acc"}, {"t", "acc"}}};
    for (int k = 0; k < sizes; ++k) {
      const double reasoning = 0.35 + 0.02 * f + 0.08 * k;
      const double off = reasoning - kTurn;
      family.observations.push_back({.parameters = 1e8 * std::pow(2.5, k),
                                     .reasoning = reasoning + noise * random.Normal(),
                                     .truthfulness = 0.4 + off * off + noise * random.Normal()});
    }
    families.push_back(std::move(family));
  }
  return families;
}

double TurnOf(int f) { return 1e8 * std::pow(2.5, (kTurn - 0.35 - 0.02 * f) / 0.08); }

std::vector<AxisSeries> AllBut(std::vector<AxisSeries> families, std::size_t left_out) {
  families.erase(families.begin() + static_cast<std::ptrdiff_t>(left_out));
  return families;
}

TEST(ForecastByOthers, FindsTheTurnOfAFamilyBeyondTheSizesSeen) {
  const auto families = Families(5, 7, 0, 1);
  AxisSeries young = families[2];
  young.observations.resize(2);  // γ has not turned at these
  const auto forecast = ForecastByOthers(AllBut(families, 2), young, {.horizon_high = 1e12});
  ASSERT_TRUE(forecast) << forecast.error().Text();
  ASSERT_TRUE(forecast->value) << forecast->reason;
  EXPECT_NEAR(*forecast->value / TurnOf(2), 1, 1e-6);
  EXPECT_EQ(forecast->method, "others");
  EXPECT_EQ(forecast->quantity, "N_c");
  EXPECT_DOUBLE_EQ(*forecast->p_crossing, 1);
  EXPECT_FALSE(forecast->HasPassed());
}

TEST(ForecastByOthers, ItsIntervalIsForAFamilyNotSeen) {
  int held = 0, total = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Random random(seed);
    auto families = Families(8, 6, 0.004, seed);
    std::vector<double> turns;
    for (std::size_t f = 0; f < families.size(); ++f) {
      const double own = 0.15 * random.Normal();  // of its γ at any reasoning
      turns.push_back(1e8 * std::pow(2.5, (kTurn - own / 2 - 0.35 - 0.02 * f) / 0.08));
      for (AxisObservation& at : families[f].observations) at.truthfulness += own * at.reasoning;
    }
    for (std::size_t f = 0; f < families.size(); ++f) {
      const auto forecast = ForecastByOthers(
          AllBut(families, f), families[f],
          {.horizon_low = 1e6, .horizon_high = 1e13, .replicates = 300, .seed = seed});
      ASSERT_TRUE(forecast && forecast->value);
      held += *forecast->low80 <= turns[f] && turns[f] <= *forecast->high80;
      ++total;
    }
  }
  EXPECT_GE(held, 0.65 * total);
  EXPECT_LE(held, 0.92 * total);
}

TEST(ForecastByOthers, RefusesTooFewFamilies) {
  const auto families = Families(3, 5, 0, 1);
  const auto forecast = ForecastByOthers(AllBut(families, 0), families[0], {});
  ASSERT_TRUE(forecast);
  EXPECT_FALSE(forecast->p_crossing);
  EXPECT_THAT(forecast->reason, HasSubstr("2 other families"));
}

TEST(TurnChoice, PrefersWhatCameClosestToTheTurnsOfOtherFamilies) {
  const auto families = Families(5, 6, 0.001, 3);
  const auto trials = TryTurnMethods(families, {.replicates = 100});
  ASSERT_TRUE(trials) << trials.error().Text();
  const auto scores = ScoreTurnMethods(*trials, "family-0");
  for (std::size_t k = 1; k < scores.size(); ++k) {
    EXPECT_LE(scores[k - 1].distance, scores[k].distance);
  }
  for (const TurnScore& score : scores) EXPECT_EQ(score.families, 4) << score.method;
  auto forecasts = ForecastSignChange(families[0], CouplingOver::kScale, {.replicates = 100});
  ASSERT_TRUE(forecasts);
  forecasts->push_back(*ForecastByOthers(AllBut(families, 0), families[0], {.replicates = 100}));
  const TurnChoice choice = ChooseTurnMethod(*forecasts, scores);
  EXPECT_EQ(choice.method, scores[0].method);
  EXPECT_THAT(choice.reason, HasSubstr("4 other families"));
  EXPECT_THAT(choice.reason, HasSubstr(kNoTurn));
}

TEST(TurnChoice, PrefersNoneWhereToForecastNoTurnWasCloser) {
  std::vector<Forecast> forecasts = {{.method = "line", .p_crossing = 0.9}};
  const std::vector<TurnScore> scores = {{std::string(kNoTurn), 0.1, 9, 3}, {"line", 0.4, 9, 3}};
  const TurnChoice none = ChooseTurnMethod(forecasts, scores);
  EXPECT_EQ(none.method, "");
  EXPECT_THAT(none.reason, HasSubstr("line 0.40"));
  EXPECT_EQ(ChooseTurnMethod(forecasts, {{"line", 0.1, 2, 2}}).method, "");  // too few families
  EXPECT_EQ(ChooseTurnMethod({}, {{"line", 0.1, 9, 3}}).method, "");         // no answer here
}

TEST(TurnChoice, ThePanelHasFamiliesToTryMethodsOn) {
  const auto panel = ShippedBasePanel();
  ASSERT_TRUE(panel);
  const auto trials = TryTurnMethods(FamilySeriesOf(CleanedPanel(*panel)), {.replicates = 100});
  ASSERT_TRUE(trials) << trials.error().Text();
  const auto all = ScoreTurnMethods(*trials, ""), without = ScoreTurnMethods(*trials, "pythia");
  ASSERT_FALSE(all.empty());
  EXPECT_GE(all[0].families, 5);
  EXPECT_EQ(without[0].families, all[0].families - 1);
}

}  // namespace
}  // namespace couplingd
