#include "coupling/fieller.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/random.h"
#include "coupling/statistics.h"
#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

RatioEstimate Estimate(const JsonValue& entry) {
  return {entry["numerator"].GetDouble(), entry["denominator"].GetDouble(),
          entry["variance_numerator"].GetDouble(), entry["variance_denominator"].GetDouble(),
          entry["covariance"].GetDouble()};
}

TEST(Fieller, EndsWhereTheTTestOfStatsmodelsTurns) {
  const JsonDocument document = fixtures::Read("fieller.json");
  int shapes[3] = {};
  for (const JsonValue& entry : document["cases"].GetArray()) {
    SCOPED_TRACE(entry["name"].GetString());
    const auto set = FiellerInterval(Estimate(entry), entry["critical"].GetDouble());
    ASSERT_TRUE(set) << set.error().Text();
    ++shapes[static_cast<int>(set->shape)];
    const std::string shape = entry["shape"].GetString();
    EXPECT_EQ(set->shape == FiellerShape::kInterval, shape == "interval");
    EXPECT_EQ(set->shape == FiellerShape::kComplement, shape == "complement");
    if (shape == "everything") continue;
    const double low = entry["low"].GetDouble(), high = entry["high"].GetDouble();
    EXPECT_NEAR(set->low, low, 1e-8 * (1 + std::abs(low)));
    EXPECT_NEAR(set->high, high, 1e-8 * (1 + std::abs(high)));
  }
  for (const int count : shapes) EXPECT_GT(count, 0);
}

TEST(Fieller, HoldsItsLevelWhateverTheDenominatorIs) {
  Random random(11);
  for (const double denominator : {0.0, 1.0, 5.0}) {
    const double numerator = 0.7 * denominator;
    int held = 0;
    for (int k = 0; k < 4000; ++k) {
      const double first = random.Normal(), second = 0.6 * first + 0.8 * random.Normal();
      const auto set = FiellerInterval({numerator + first, denominator + second, 1, 1, 0.6},
                                       NormalCritical(0.95));
      ASSERT_TRUE(set);
      // Where both means are 0, any ratio is true.
      held += set->Holds(denominator == 0 ? 2.0 : 0.7);
    }
    EXPECT_NEAR(held / 4000.0, 0.95, 0.014) << denominator;  // 4 standard deviations
  }
}

TEST(Fieller, ARayIsAComplementWithAnInfiniteEnd) {
  const auto set = FiellerInterval({3, 2, 0, 1, 0}, 2);  // the denominator is 2 of its errors away
  ASSERT_TRUE(set);
  EXPECT_EQ(set->shape, FiellerShape::kComplement);
  EXPECT_TRUE(std::isinf(set->low));
  EXPECT_DOUBLE_EQ(set->high, 0.75);
  EXPECT_TRUE(set->Holds(1.5));
  EXPECT_FALSE(set->Holds(0.7));
}

TEST(Fieller, RefusesWhatIsNoCovariance) {
  EXPECT_FALSE(FiellerInterval({1, 1, 1, 1, 1.1}, 2));
  EXPECT_FALSE(FiellerInterval({1, 1, -1, 1, 0}, 2));
  EXPECT_FALSE(FiellerInterval({std::nan(""), 1, 1, 1, 0}, 2));
  EXPECT_FALSE(FiellerInterval({1, 1, 1, 1, 0}, 0));
}

}  // namespace
}  // namespace couplingd
