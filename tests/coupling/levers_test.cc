// Lines, partial correlations, group effects, trends, dimensions, spreads and equivalences against
// NumPy, SciPy and statsmodels.
#include <gtest/gtest.h>

#include <cmath>

#include "coupling/effective_dimension.h"
#include "coupling/frontier/saturation.h"
#include "coupling/group_effect.h"
#include "coupling/line_fit.h"
#include "coupling/partial_correlation.h"
#include "coupling/scale_equivalence.h"
#include "coupling/share_trend.h"
#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

void ExpectClose(double value, const JsonValue& wanted, const char* what) {
  EXPECT_NEAR(value, wanted.GetDouble(), 1e-8 * std::max(1.0, std::abs(wanted.GetDouble())))
      << what;
}

std::vector<std::string> Names(const JsonValue& array) {
  std::vector<std::string> names;
  for (const JsonValue& name : array.GetArray()) names.emplace_back(name.GetString());
  return names;
}

std::vector<SizedScores> Sized(const JsonValue& rows) {
  std::vector<SizedScores> sized;
  for (const JsonValue& row : rows.GetArray()) {
    sized.push_back({row["family"].GetString(), row["x"].GetDouble(), row["reasoning"].GetDouble(),
                     row["truthfulness"].GetDouble()});
  }
  return sized;
}

TEST(LineFit, EqualsStatsmodels) {
  const JsonDocument document = fixtures::Read("levers.json");
  for (const JsonValue& entry : document["lines"].GetArray()) {
    const auto fit = FitLine(fixtures::Vector(entry["x"]), fixtures::Vector(entry["y"]));
    ASSERT_TRUE(fit) << fit.error().Text();
    ExpectClose(fit->slope, entry["slope"], "slope");
    ExpectClose(fit->intercept, entry["intercept"], "intercept");
    ExpectClose(fit->slope_stderr, entry["slope_stderr"], "slope_stderr");
    ExpectClose(fit->intercept_stderr, entry["intercept_stderr"], "intercept_stderr");
    ExpectClose(fit->residual_sd, entry["residual_sd"], "residual_sd");
    ExpectClose(fit->SlopeHalfWidth(0.9), entry["slope_half_width_90"], "slope interval");
    ExpectClose(fit->InterceptHalfWidth(0.9), entry["intercept_half_width_90"],
                "intercept interval");
    for (rapidjson::SizeType i = 0; i < entry["at"].Size(); ++i) {
      ExpectClose(fit->PredictionHalfWidth(entry["at"][i].GetDouble(), 0.95),
                  entry["prediction_half_width"][i], "prediction");
    }
  }
}

TEST(LineFit, RefusesTwoPointsAndASinglePlace) {
  EXPECT_FALSE(FitLine(Eigen::Vector2d(0, 1), Eigen::Vector2d(0, 1)));
  EXPECT_FALSE(FitLine(Eigen::Vector3d(0.7, 0.7, 0.7), Eigen::Vector3d(0, 1, 2)));
}

TEST(PartialCorrelation, EqualsTheRegressionWithTheControlInIt) {
  const JsonDocument document = fixtures::Read("levers.json");
  for (const JsonValue& entry : document["partials"].GetArray()) {
    const auto found = PartialCorrelation(
        fixtures::Vector(entry["x"]), fixtures::Vector(entry["y"]), fixtures::Vector(entry["z"]));
    ASSERT_TRUE(found) << found.error().Text();
    ExpectClose(found->r, entry["r"], "r");
    ExpectClose(found->p, entry["p"], "p");
    ExpectClose(found->interval.low, entry["low"], "low");
    ExpectClose(found->interval.high, entry["high"], "high");
  }
}

TEST(PartialCorrelation, EqualsTheCorrelationOfTheResiduals) {
  const JsonDocument document = fixtures::Read("item_statistics.json");
  const JsonValue& one = document["partial"];
  const auto found = PartialCorrelation(fixtures::Vector(one["a"]), fixtures::Vector(one["b"]),
                                        fixtures::Vector(one["c"]));
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->r, one["value"].GetDouble(), 1e-12);
  EXPECT_NEAR(found->interval.low, one["low"].GetDouble(), 1e-9);
  EXPECT_NEAR(found->interval.high, one["high"].GetDouble(), 1e-9);
}

TEST(PartialCorrelation, RefusesAControlThatIsTheScoreItself) {
  const Eigen::Vector4d x(1, 2, 3, 5), y(2, 1, 4, 3);
  EXPECT_FALSE(PartialCorrelation(x, y, 2 * x));
  EXPECT_FALSE(PartialCorrelation(x, y, Eigen::Vector4d::Ones()));
  EXPECT_FALSE(PartialCorrelation(x.head(3), y.head(3), Eigen::Vector3d(1, 3, 2)));
}

TEST(GroupEffect, EqualsOneWayAnovaAndItsPermutations) {
  const JsonDocument document = fixtures::Read("levers.json");
  const JsonValue& entry = document["groups"];
  const auto found =
      TestGroups(fixtures::Vector(entry["values"]), Names(entry["groups"]), 20000, 1);
  ASSERT_TRUE(found) << found.error().Text();
  ExpectClose(found->f, entry["f"], "F");
  EXPECT_NEAR(found->p, entry["p"].GetDouble(), 0.01);
  EXPECT_EQ(found->groups, 4);
  EXPECT_FALSE(TestGroups(Eigen::Vector2d(1, 2), std::vector<std::string>{"a", "a"}, 100, 1));
  EXPECT_FALSE(TestGroups(Eigen::Vector2d(1, 2), std::vector<std::string>{"a", "b"}, 100, 1));
}

TEST(ShareTrend, EqualsPearsonAndAllTables) {
  const JsonDocument document = fixtures::Read("levers.json");
  for (const JsonValue& entry : document["trends"].GetArray()) {
    std::vector<ShareCount> counts;
    for (rapidjson::SizeType i = 0; i < entry["totals"].Size(); ++i)
      counts.push_back({entry["successes"][i].GetInt(), entry["totals"][i].GetInt()});
    const auto trend = TestShareTrend(counts);
    ASSERT_TRUE(trend) << trend.error().Text();
    ExpectClose(trend->z, entry["z"], "z");
    ExpectClose(trend->p, entry["p"], "p");
    ExpectClose(trend->exact_p, entry["exact_p"], "exact p");
  }
  EXPECT_FALSE(TestShareTrend(std::vector<ShareCount>{{0, 10}, {0, 10}}));
  EXPECT_FALSE(TestShareTrend(std::vector<ShareCount>{{3, 10}}));
}

TEST(EffectiveDimension, EqualsNumPy) {
  const JsonDocument document = fixtures::Read("levers.json");
  const JsonValue& entry = document["dimension"];
  const Eigen::MatrixXd scores = fixtures::Matrix(entry["scores"]);
  const auto covariance = DecomposeScores(scores, ScoreMatrixKind::kCovariance);
  const auto correlation = DecomposeScores(scores, ScoreMatrixKind::kCorrelation);
  ASSERT_TRUE(covariance && correlation);
  for (rapidjson::SizeType i = 0; i < entry["covariance"].Size(); ++i) {
    ExpectClose(covariance->values[i], entry["covariance"][i], "covariance");
    ExpectClose(correlation->values[i], entry["correlation"][i], "correlation");
  }
  std::vector<std::string> families(scores.rows(), "one");
  const auto of_covariance = MeasureDimension(scores, families, {});
  const auto of_correlation =
      MeasureDimension(scores, families, {.kind = ScoreMatrixKind::kCorrelation});
  ASSERT_TRUE(of_covariance && of_correlation);
  ExpectClose(of_covariance->value, entry["d_eff"], "d_eff");
  ExpectClose(of_correlation->value, entry["d_eff_correlation"], "d_eff of r");
}

TEST(EffectiveDimension, RefusesFewModelsAndHoldsItsValue) {
  const JsonDocument document = fixtures::Read("levers.json");
  const Eigen::MatrixXd scores = fixtures::Matrix(document["dimension"]["scores"]);
  std::vector<std::string> families;
  for (int i = 0; i < scores.rows(); ++i) families.push_back(std::to_string(i / 2));
  EXPECT_FALSE(MeasureDimension(scores.topRows(10), {families.data(), 10}, {}));
  const auto found = MeasureDimension(scores, families, {});
  ASSERT_TRUE(found) << found.error().Text();
  EXPECT_LT(found->interval.low, found->value);
  EXPECT_EQ(found->families, 7);
}

TEST(EffectiveDimension, ARelabellingSeesADifferenceAndNotNone) {
  Random random(3);
  Eigen::MatrixXd line(20, 4), cloud(20, 4), other(20, 4);
  for (int i = 0; i < 20; ++i) {
    const double along = random.Normal();
    for (int j = 0; j < 4; ++j) {
      line(i, j) = along + 0.02 * random.Normal();
      cloud(i, j) = random.Normal();
      other(i, j) = random.Normal();
    }
  }
  EXPECT_LT(*CompareDimensions(line, cloud, {.replicates = 500}), 0.02);
  EXPECT_GT(*CompareDimensions(cloud, other, {.replicates = 500}), 0.02);
  EXPECT_FALSE(CompareDimensions(cloud, Eigen::MatrixXd::Ones(5, 4), {.replicates = 10}));
}

TEST(Saturation, EqualsNumPyWithItsNull) {
  const JsonDocument document = fixtures::Read("levers.json");
  const JsonValue& entry = document["saturation"];
  const auto found = MeasureSaturation(fixtures::Vector(entry["x"]), fixtures::Vector(entry["y"]),
                                       entry["top"].GetInt(), 0.95, 20000, 1);
  ASSERT_TRUE(found) << found.error().Text();
  ExpectClose(found->spread, entry["spread"], "spread");
  ExpectClose(found->other_spread, entry["other_spread"], "other spread");
  ExpectClose(found->ratio, entry["sigma"], "σ");
  const auto within = [&](double value, const char* key, double relative) {
    EXPECT_NEAR(value, entry[key].GetDouble(), relative * entry[key].GetDouble()) << key;
  };
  within(found->null_median, "null_median", 0.02);
  within(found->null.low, "null_low", 0.03);
  within(found->null.high, "null_high", 0.03);
  EXPECT_NEAR(found->null_p, entry["null_p"].GetDouble(), 0.01);
  EXPECT_NEAR(found->null_trigger, entry["null_trigger"].GetDouble(), 0.005);
}

TEST(Saturation, RefusesWhatHasNoTopAndTakesTiesInOrder) {
  const Eigen::Vector4d x(3, 5, 5, 1), y(1, 2, 4, 3);
  EXPECT_FALSE(MeasureSaturation(x, y, 4, 0.95, 100, 1));
  EXPECT_FALSE(MeasureSaturation(Eigen::Vector4d::Ones(), y, 2, 0.95, 100, 1));
  const auto found = MeasureSaturation(x, y, 2, 0.95, 100, 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->top, (std::vector<Eigen::Index>{1, 2}));
  EXPECT_EQ(found->ratio, 0);
}

TEST(ScaleEquivalence, EqualsNumPyOnAWholePanel) {
  const JsonDocument document = fixtures::Read("levers.json");
  const JsonValue& entry = document["equivalence"];
  const std::vector<SizedScores> panel = Sized(entry["panel"]);
  const double at = entry["at"].GetDouble();
  const auto coupled =
      EquateByCoupling(panel, {entry["gamma"].GetDouble(), 0.02, at}, {.replicates = 500});
  ASSERT_TRUE(coupled) << coupled.error().Text();
  ExpectClose(*coupled->factor, entry["by_coupling"], "by coupling");
  EXPECT_FALSE(coupled->is_undetermined) << coupled->reason;
  EXPECT_LT(coupled->range->low, *coupled->factor);
  EXPECT_GT(coupled->range->high, *coupled->factor);
  const auto reasoned =
      EquateByReasoning(panel, entry["score"].GetDouble(), at, {.replicates = 500});
  ASSERT_TRUE(reasoned) << reasoned.error().Text();
  ExpectClose(*reasoned->factor, entry["by_reasoning"], "by reasoning");
  const auto contrast = ContrastAtEqualSize(panel, Sized(entry["curated"]), {.replicates = 500});
  ASSERT_TRUE(contrast) << contrast.error().Text();
  ExpectClose(contrast->difference, entry["contrast"], "contrast");
  EXPECT_EQ(contrast->families, 2);
}

TEST(ScaleEquivalence, IsUndeterminedWhereTheCouplingMayBeZero) {
  const JsonDocument document = fixtures::Read("levers.json");
  const std::vector<SizedScores> panel = Sized(document["equivalence"]["panel"]);
  const auto found = EquateByCoupling(panel, {0.12, 0.1, 9.1}, {.replicates = 500});
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_undetermined);
  EXPECT_NE(found->reason.find("may be 0"), std::string::npos) << found->reason;
}

TEST(ScaleEquivalence, IsUndeterminedOutsideThePanelAndRefusesTwoFamilies) {
  const JsonDocument document = fixtures::Read("levers.json");
  std::vector<SizedScores> panel = Sized(document["equivalence"]["panel"]);
  const auto outside = EquateByReasoning(panel, 0.99, 9, {.replicates = 200});
  ASSERT_TRUE(outside);
  EXPECT_TRUE(outside->is_undetermined);
  panel.resize(8);
  EXPECT_FALSE(EquateByReasoning(panel, 0.5, 9, {}));
  EXPECT_FALSE(EquateByCoupling(panel, {0.12, 0.01, 9.1}, {}));
  EXPECT_FALSE(ContrastAtEqualSize(panel, panel, {}));
}

}  // namespace
}  // namespace couplingd
