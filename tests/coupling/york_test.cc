#include "coupling/york.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

std::vector<ErrorPoint> PointsOf(const JsonValue& entry) {
  std::vector<ErrorPoint> points;
  for (rapidjson::SizeType i = 0; i < entry["x"].Size(); ++i) {
    points.push_back({entry["x"][i].GetDouble(), entry["y"][i].GetDouble(),
                      entry["variance_x"][i].GetDouble(), entry["variance_y"][i].GetDouble(),
                      entry["covariance"][i].GetDouble()});
  }
  return points;
}

TEST(York, EqualsTheOracleForShallowSteepAndCorrelatedLines) {
  const JsonDocument document = fixtures::Read("york.json");
  for (const JsonValue& entry : document["cases"].GetArray()) {
    SCOPED_TRACE(entry["name"].GetString());
    const auto fit = FitYork(PointsOf(entry));
    ASSERT_TRUE(fit) << fit.error().Text();
    const auto expect_near = [&](double value, const char* field, double relative) {
      const double wanted = entry[field].GetDouble();
      EXPECT_NEAR(value, wanted, relative * std::max(1.0, std::abs(wanted))) << field;
    };
    expect_near(fit->slope, "slope", 1e-8);
    expect_near(fit->intercept, "intercept", 1e-8);
    expect_near(fit->slope_stderr, "slope_stderr", 1e-7);
    expect_near(fit->intercept_stderr, "intercept_stderr", 1e-7);
    expect_near(fit->chi_squared, "chi_squared", 1e-8);
    if (entry.HasMember("odr_slope")) {  // ODRPACK stops a little earlier
      expect_near(fit->slope, "odr_slope", 1e-6);
      expect_near(fit->intercept, "odr_intercept", 1e-6);
    }
  }
}

TEST(York, GivesThePublishedLineThroughPearsonsPoints) {
  const JsonDocument document = fixtures::Read("york.json");
  const auto fit = FitYork(PointsOf(document["cases"][0]));
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->slope, -0.480533407, 1e-8);  // York et al. 2004, section III
  EXPECT_NEAR(fit->intercept, 5.479910224, 1e-7);
  EXPECT_NEAR(fit->chi_squared / fit->dof, 1.4833, 1e-4);
}

TEST(York, SwappingTheAxesGivesTheSameLine) {
  std::vector<ErrorPoint> points{{0.1, 0.9, 1e-4, 3e-4, 5e-5},
                                 {0.3, 0.72, 2e-4, 1e-4, 0},
                                 {0.5, 0.61, 1e-4, 2e-4, -4e-5},
                                 {0.6, 0.35, 3e-4, 2e-4, 1e-5}};
  const auto fit = FitYork(points);
  for (ErrorPoint& p : points) {
    std::swap(p.x, p.y);
    std::swap(p.variance_x, p.variance_y);
  }
  const auto swapped = FitYork(points);
  ASSERT_TRUE(fit && swapped);
  EXPECT_NEAR(fit->slope, 1 / swapped->slope, 1e-10);
  EXPECT_NEAR(fit->chi_squared, swapped->chi_squared, 1e-10);
}

TEST(York, AVerticalLineIsALineLikeAnyOther) {
  const auto fit = FitYork(std::vector<ErrorPoint>{
      {0.5, 0.1, 1e-4, 1e-4, 0}, {0.5, 0.4, 1e-4, 1e-4, 0}, {0.5, 0.8, 1e-4, 1e-4, 0}});
  ASSERT_TRUE(fit);
  EXPECT_TRUE(std::isinf(fit->slope));
  EXPECT_NEAR(fit->chi_squared, 0, 1e-12);
}

TEST(York, RefusesWhatHasNoLine) {
  EXPECT_FALSE(FitYork(std::vector<ErrorPoint>{{1, 1, 1, 1, 0}}));
  EXPECT_FALSE(FitYork(std::vector<ErrorPoint>{{1, 1, 1, 1, 0}, {1, 1, 1, 1, 0}}));
  EXPECT_FALSE(FitYork(std::vector<ErrorPoint>{{1, 1, 0, 0, 0}, {2, 1, 1, 1, 0}}));
  EXPECT_FALSE(FitYork(std::vector<ErrorPoint>{{1, 1, 1, 1, 2}, {2, 1, 1, 1, 0}}));
}

}  // namespace
}  // namespace couplingd
