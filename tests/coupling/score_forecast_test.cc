#include "coupling/score_forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Families whose two scores follow curves of log10 N of their own, with noise of their own.
std::vector<ScoreTrajectory> Families(int count, double noise, std::uint64_t seed) {
  Random random(seed);
  std::vector<ScoreTrajectory> families;
  for (int f = 0; f < count; ++f) {
    ScoreTrajectory family{"family " + std::to_string(f), VectorXd::LinSpaced(6, 8, 10.5),
                           MatrixXd(6, 2)};
    const double height = 0.05 * random.Normal(), slope = 0.15 + 0.02 * random.Normal();
    for (Index k = 0; k < 6; ++k) {
      const double x = family.positions[k] - 8;
      family.scores(k, 0) = 0.3 + height + slope * x + noise * random.Normal();
      family.scores(k, 1) = 0.45 - 0.08 * x + 0.02 * x * x - height + noise * random.Normal();
    }
    families.push_back(std::move(family));
  }
  return families;
}

ScoreTrajectory Head(const ScoreTrajectory& of, Index places) {
  return {of.name, of.positions.head(places), of.scores.topRows(places)};
}

TEST(ScoreMethods, AreExactOnWhatTheyAssume) {
  const std::vector<ScoreTrajectory> pool;
  ScoreTrajectory line{"line", VectorXd::LinSpaced(4, 8, 9.5), MatrixXd(4, 1)};
  for (Index k = 0; k < 4; ++k) line.scores(k, 0) = 0.2 + 0.1 * (line.positions[k] - 8);
  ScoreTrajectory power = line;
  for (Index k = 0; k < 4; ++k) {
    power.scores(k, 0) = 1 - std::pow(10, -0.1 * (power.positions[k] - 7));
  }
  for (const ScoreMethod& method : ScoreMethods()) {
    const auto on_line = method.guess({pool, line, 4, 10, 0});
    const auto on_power = method.guess({pool, power, 4, 10, 0});
    if (method.name.starts_with("line")) {
      EXPECT_NEAR(*on_line, 0.4, 1e-9) << method.name;
    } else if (method.name == "power-law") {
      EXPECT_NEAR(*on_power, 1 - std::pow(10, -0.3), 1e-9);
    } else if (method.name == "last-value") {
      EXPECT_DOUBLE_EQ(*on_line, line.scores(3, 0));
    } else if (method.name == "pooled-change" || method.name == "coupling-curve") {
      EXPECT_FALSE(on_line) << method.name;
    }
  }
}

TEST(ForecastScore, ASingleFamilyLearnsFromItsOwnPast) {
  ScoreTrajectory line{"line", VectorXd::LinSpaced(8, 8, 10.1), MatrixXd(8, 1)};
  for (Index k = 0; k < 8; ++k) line.scores(k, 0) = 0.2 + 0.1 * (line.positions[k] - 8);
  const ScoreForecast forecast = ForecastScore(std::vector<ScoreTrajectory>{}, line, 10.4, 0);
  ASSERT_TRUE(forecast.value) << forecast.reason;
  EXPECT_NEAR(*forecast.value, 0.44, 1e-6);
  EXPECT_EQ(forecast.past, 6);
}

TEST(ForecastScore, HoldsWhatItSaysAndBeatsTheLastValue) {
  int held80 = 0, held95 = 0, total = 0;
  double missed = 0, last = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const auto families = Families(8, 0.01, seed);
    for (std::size_t f = 0; f < families.size(); ++f) {
      std::vector<ScoreTrajectory> pool = families;
      pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(f));
      const ScoreTrajectory own = Head(families[f], 4);
      const double truth = families[f].scores(4, 0);
      const ScoreForecast forecast = ForecastScore(pool, own, families[f].positions[4], 0);
      ASSERT_TRUE(forecast.value) << forecast.reason;
      EXPECT_LT(*forecast.low, *forecast.low80);
      EXPECT_LT(*forecast.high80, *forecast.high);
      EXPECT_EQ(forecast.past, 7 * 4 + 2);
      held80 += *forecast.low80 <= truth && truth <= *forecast.high80;
      held95 += *forecast.low <= truth && truth <= *forecast.high;
      missed += std::abs(*forecast.value - truth);
      last += std::abs(own.scores(3, 0) - truth);
      ++total;
    }
  }
  EXPECT_LT(missed, 0.25 * last);
  EXPECT_NEAR(held80, 0.8 * total, 8);  // 2.9 standard deviations
  EXPECT_GE(held95, 0.85 * total);
}

TEST(ForecastScore, WeighsMethodsByWhatTheyMissed) {
  const auto families = Families(6, 0, 3);  // no noise: the line is exact
  const std::vector<ScoreTrajectory> pool(families.begin() + 1, families.end());
  const ScoreForecast forecast = ForecastScore(pool, Head(families[0], 4), 10, 0);
  ASSERT_TRUE(forecast.value);
  EXPECT_NEAR(*forecast.value, families[0].scores(4, 0), 1e-3);
  for (const auto& [method, weight] : forecast.weights) EXPECT_NE(method, "last-value") << weight;
}

// Scores that jump about a level of their own: nothing foretells them better than a mean or the
// last value.
TEST(ForecastScore, UsesASimpleBaselineWhereItHasMissedByLessAndSaysSo) {
  Random random(7);
  int baselines = 0;
  for (int set = 0; set < 5; ++set) {
    std::vector<ScoreTrajectory> families = Families(7, 0, 1);
    for (ScoreTrajectory& family : families) {
      const double level = 0.5 + 0.1 * random.Normal();
      for (double& score : family.scores.col(0)) score = level + 0.003 * random.Normal();
    }
    const std::vector<ScoreTrajectory> pool(families.begin() + 1, families.end());
    const ScoreForecast forecast = ForecastScore(pool, Head(families[0], 4), 10, 0);
    ASSERT_TRUE(forecast.value) << forecast.reason;
    ASSERT_GT(forecast.candidates.size(), 1u);
    EXPECT_EQ(forecast.candidates[0].method, "ensemble");
    double least = 1;
    for (const ScoreCandidate& candidate : forecast.candidates) {
      EXPECT_NEAR(candidate.over_ensemble, candidate.past_error - forecast.candidates[0].past_error,
                  1e-12);
      if (candidate.past_error >= least) continue;
      least = candidate.past_error;
    }
    EXPECT_DOUBLE_EQ(forecast.past_error, least);
    const bool is_baseline = forecast.method != "ensemble";
    baselines += is_baseline;
    EXPECT_THAT(forecast.choice,
                ::testing::HasSubstr(is_baseline ? forecast.method + " missed by"
                                                 : "no simple baseline is better"));
    if (is_baseline) {
      ASSERT_EQ(forecast.weights.size(), 1u);
      EXPECT_EQ(forecast.weights[0].first, forecast.method);
    }
  }
  EXPECT_GT(baselines, 0);
}

TEST(ForecastScore, ReachesAsFarAheadAsItIsAskedOverSteps) {
  const auto runs = Families(6, 0.01, 5);
  const std::vector<ScoreTrajectory> pool(runs.begin() + 1, runs.end());
  const ScoreTrajectory own = Head(runs[0], 3);
  const auto near = ForecastScore(pool, own, 9.5, 0, {.next_place = false});
  const auto far = ForecastScore(pool, own, 10.5, 0, {.next_place = false});
  ASSERT_TRUE(near.value && far.value);
  EXPECT_NEAR(*far.value, runs[0].scores(5, 0), 0.1);
  EXPECT_GT(*far.value, *near.value);
}

TEST(ForecastScore, RefusesThePastAndTooLittle) {
  const auto families = Families(2, 0.01, 1);
  const ScoreForecast past = ForecastScore({}, families[0], 9, 0);
  EXPECT_FALSE(past.value);
  EXPECT_THAT(past.reason, ::testing::HasSubstr("history"));
  const ScoreForecast alone = ForecastScore({}, families[0], 11, 0);
  EXPECT_FALSE(alone.value);
  EXPECT_THAT(alone.reason, ::testing::HasSubstr("4 earlier forecasts"));
}

}  // namespace
}  // namespace couplingd
