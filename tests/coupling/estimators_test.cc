// The estimators behind the reproduction, against SciPy and NumPy.
#include <gtest/gtest.h>

#include <cmath>

#include "coupling/correlation.h"
#include "coupling/eigenstructure.h"
#include "coupling/isocline.h"
#include "coupling/loss_blindness.h"
#include "coupling/u_shape.h"
#include "coupling/width_normalisation.h"
#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;
using fixtures::Matrix;
using fixtures::Vector;

const JsonValue& Cases(const char* name) {
  static const JsonDocument document = fixtures::Read("estimators.json");
  return document["cases"][name];
}

void ExpectClose(double ours, double theirs, double tolerance = 1e-8) {
  EXPECT_NEAR(ours, theirs, tolerance * std::max(1.0, std::abs(theirs)));
}
void ExpectRelative(double ours, double theirs, double tolerance = 1e-8) {
  EXPECT_NEAR(ours, theirs, tolerance * std::abs(theirs));
}

TEST(Correlation, EqualsScipy) {
  for (const JsonValue& entry : Cases("correlation").GetArray()) {
    const auto found = PearsonCorrelation(Vector(entry["x"]), Vector(entry["y"]));
    ASSERT_TRUE(found);
    ExpectClose(found->r, entry["r"].GetDouble(), 1e-12);
    ExpectRelative(found->p, entry["p"].GetDouble());
    ExpectClose(found->interval.low, entry["low"].GetDouble());
    ExpectClose(found->interval.high, entry["high"].GetDouble());
  }
}

TEST(Correlation, RefusesTwoPointsAndAConstant) {
  EXPECT_FALSE(PearsonCorrelation(Eigen::Vector2d(1, 2), Eigen::Vector2d(1, 3)));
  EXPECT_FALSE(PearsonCorrelation(Eigen::Vector3d(1, 1, 1), Eigen::Vector3d(1, 2, 3)));
  EXPECT_LT(PearsonCorrelation(Eigen::Vector3d(1, 2, 3), Eigen::Vector3d(2, 4, 6))->p, 1e-6);
}

TEST(Correlation, ABootstrapOfIndependentRowsAgreesWithFisher) {
  const JsonValue& entry = Cases("correlation")[2];  // 63 points
  const VectorXd x = Vector(entry["x"]), y = Vector(entry["y"]);
  const Interval interval =
      CentralInterval(ResampleCorrelation(x, y, ClusterDraw(x.size()), 4000, 1), 0.95);
  EXPECT_NEAR(interval.low, entry["low"].GetDouble(), 0.07);
  EXPECT_NEAR(interval.high, entry["high"].GetDouble(), 0.07);
}

TEST(ClusterDraw, DrawsWholeClusters) {
  const std::vector<std::string> names = {"a", "b", "a", "c", "b"};
  ClusterDraw draw(names);
  EXPECT_EQ(draw.Clusters(), 3u);
  Random random(1);
  for (int k = 0; k < 100; ++k) {
    const auto& rows = draw.Draw(random);
    EXPECT_EQ(std::ranges::count(rows, 0), std::ranges::count(rows, 2));
    EXPECT_EQ(std::ranges::count(rows, 1), std::ranges::count(rows, 4));
  }
}

TEST(Random, BatchedIndicesAreUniform) {
  for (const std::uint32_t n : {1u, 2u, 14u, 1000u, 70000u}) {
    const IndexRange range(n);
    Random random(9);
    std::vector<std::uint32_t> drawn(20001);
    random.Indices(range, drawn);
    double sum = 0;
    for (const std::uint32_t index : drawn) {
      ASSERT_LT(index, n);
      sum += index;
    }
    const double deviation = std::sqrt((double(n) * n - 1) / 12 / drawn.size());
    EXPECT_NEAR(sum / drawn.size(), (n - 1) / 2.0, 4 * deviation + 1e-12) << n;
  }
  // Every pair of neighbours from one word is as likely as any other.
  const IndexRange range(4);
  Random random(10);
  std::vector<std::uint32_t> drawn(64000);
  random.Indices(range, drawn);
  std::vector<int> pairs(16);
  for (std::size_t k = 0; k + 1 < drawn.size(); k += 2) ++pairs[4 * drawn[k] + drawn[k + 1]];
  double chi_squared = 0;
  for (const int count : pairs) chi_squared += std::pow(count - 2000.0, 2) / 2000;
  EXPECT_LT(chi_squared, 37.7);  // 0.1 % of 15 degrees of freedom
}

TEST(Random, ShuffleGivesEveryOrderAlike) {
  Random random(3);
  std::vector<int> counts(6);
  for (int k = 0; k < 6000; ++k) {
    std::vector<int> values = {0, 1, 2};
    random.Shuffle(values);
    ++counts[values[0] * 2 + (values[1] > values[2])];
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 120);
}

TEST(EigenStructure, EqualsNumpy) {
  for (const JsonValue& entry : Cases("eigen").GetArray()) {
    const Eigen::MatrixXd scores = Matrix(entry["scores"]);
    for (const auto& [kind, name] : {std::pair{ScoreMatrixKind::kCovariance, "covariance"},
                                     std::pair{ScoreMatrixKind::kCorrelation, "correlation"}}) {
      const auto found = DecomposeScores(scores, kind);
      ASSERT_TRUE(found);
      const VectorXd values = Vector(entry[name]["values"]);
      for (Index k = 0; k < values.size(); ++k) ExpectClose(found->values[k], values[k]);
      ExpectClose(found->effective_dimension, entry[name]["effective_dimension"].GetDouble());
      EXPECT_NEAR(std::abs(found->vectors.col(0).dot(Vector(entry[name]["leading"]))), 1, 1e-10);
    }
  }
  EXPECT_FALSE(DecomposeScores(Eigen::MatrixXd::Ones(5, 3), ScoreMatrixKind::kCovariance));
  EXPECT_FALSE(DecomposeScores(Eigen::MatrixXd::Ones(1, 3), ScoreMatrixKind::kCovariance));
}

// Two groups along lines 40 degrees apart, with a little noise.
TEST(EigenStructure, FindsARotationAndNoneWhereThereIsNone) {
  const auto group = [](double degrees, std::uint64_t seed) {
    Random random(seed);
    Eigen::MatrixXd scores(20, 2);
    const double angle = degrees * M_PI / 180;
    for (Index k = 0; k < scores.rows(); ++k) {
      const double along = random.Normal();
      scores.row(k) << along * std::cos(angle) + 0.1 * random.Normal(),
          along * std::sin(angle) + 0.1 * random.Normal();
    }
    return scores;
  };
  const auto turned = CompareEigenvectors(group(10, 1), group(50, 2), 0,
                                          ScoreMatrixKind::kCovariance, 0.95, 1000, 1);
  ASSERT_TRUE(turned);
  EXPECT_NEAR(turned->degrees, 40, 4);
  EXPECT_LE(turned->interval.low, 40);
  EXPECT_GE(turned->interval.high, 40);
  EXPECT_LT(turned->p, 0.01);
  const auto same = CompareEigenvectors(group(10, 3), group(10, 4), 0, ScoreMatrixKind::kCovariance,
                                        0.95, 1000, 1);
  ASSERT_TRUE(same);
  EXPECT_GT(same->p, 0.05);
  EXPECT_FALSE(CompareEigenvectors(group(10, 1), Eigen::MatrixXd::Random(5, 3), 0,
                                   ScoreMatrixKind::kCovariance, 0.95, 100, 1));
}

TEST(LossBlindness, EqualsNumpy) {
  const JsonValue& entry = Cases("blindness");
  ExpectRelative(LossBlindness(Vector(entry["parameters"]), Vector(entry["losses"]),
                               entry["E"].GetDouble(), entry["alpha"].GetDouble()),
                 entry["blindness"].GetDouble());
}

TEST(UShapeDraws, EqualsPolyfitDrawByDraw) {
  const JsonValue& entry = Cases("turn");
  const UShapeDraws draws(Vector(entry["x"]), Vector(entry["y"]));
  for (rapidjson::SizeType k = 0; k < entry["draws"].Size(); ++k) {
    std::vector<std::uint32_t> rows;
    for (const JsonValue& row : entry["draws"][k].GetArray()) rows.push_back(row.GetUint());
    const auto turn = draws.Turn(rows);
    const JsonValue& expected = entry["turns"][k];
    ASSERT_EQ(turn.has_value(), !expected.IsNull()) << k;
    if (turn) {
      ExpectClose(*turn, expected.GetDouble(), 1e-9);
    }
  }
}

TEST(UShapeDraws, EqualsTheFitOfTheWholeSet) {
  const JsonValue& entry = Cases("turn");
  const VectorXd x = Vector(entry["x"]), y = Vector(entry["y"]);
  std::vector<std::uint32_t> all(14);
  for (std::uint32_t k = 0; k < 14; ++k) all[k] = k;
  EXPECT_NEAR(*UShapeDraws(x, y).Turn(all), FitUShape(x, y)->Turn(), 1e-10);
  // Two places: points 8 and 11 both have 7B.
  EXPECT_FALSE(UShapeDraws(x, y).Turn(std::vector<std::uint32_t>{8, 11, 11, 8, 0}));
}

TEST(Quantiles, EqualThoseOfSortedValues) {
  Random random(4);
  for (const int n : {1, 2, 3, 10, 57, 5000}) {
    std::vector<double> values(n);
    for (double& value : values)
      value = n > 100 ? random.Normal() : std::round(4 * random.Normal());
    const std::vector<double> p = {0.5, 0.025, 1, 0.975, 0, 0.51, 0.5};
    const auto together = Quantiles(values, p);
    std::ranges::sort(values);
    for (std::size_t k = 0; k < p.size(); ++k) {
      const double place = p[k] * (n - 1);
      const auto below = static_cast<std::size_t>(place);
      const double above = values[std::min<std::size_t>(below + 1, n - 1)];
      EXPECT_NEAR(together[k], values[below] + (place - below) * (above - values[below]), 1e-15);
    }
  }
}

// A sample of every nineteenth value sees nothing of what repeats with that period.
TEST(Quantiles, HoldWhereASampleMisleads) {
  std::vector<double> values(5000);
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = k % 19 == 0 ? 1e6 + k : k;
  std::vector<double> sorted = values;
  std::ranges::sort(sorted);
  EXPECT_EQ(Quantile(values, 0.5), (sorted[2499] + sorted[2500]) / 2);
}

TEST(WidthNormalisation, EqualsNumpyOverAllOrders) {
  for (const JsonValue& entry : Cases("width").GetArray()) {
    const auto found = NormaliseByWidth(Vector(entry["reasoning"]), Vector(entry["truthfulness"]),
                                        Vector(entry["widths"]), 1000, 1);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->exact);
    EXPECT_EQ(found->permutations, entry["orders"].GetInt());
    ExpectClose(found->r_raw, entry["r_raw"].GetDouble(), 1e-12);
    ExpectClose(found->r_normalised, entry["r_normalised"].GetDouble(), 1e-12);
    ExpectClose(found->null_mean, entry["null_mean"].GetDouble(), 1e-12);
    ExpectClose(found->p, entry["p"].GetDouble(), 1e-12);
  }
}

TEST(WidthNormalisation, RandomOrdersAgreeWithAllOrders) {
  const JsonValue& entry = Cases("width")[1];
  const auto found = NormaliseByWidth(Vector(entry["reasoning"]), Vector(entry["truthfulness"]),
                                      Vector(entry["widths"]), 700, 1);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->exact);
  EXPECT_NEAR(found->p, entry["p"].GetDouble(), 0.06);
  EXPECT_FALSE(NormaliseByWidth(Vector(entry["reasoning"]), Vector(entry["truthfulness"]),
                                VectorXd::Zero(6), 700, 1));
}

TEST(Isocline, ReadsAboveBothWays) {
  EXPECT_NEAR(IsoclineTruthfulness(0.764), 0.378, 0.0005);  // printed as 0.3602
  // Above, falling; below, rising; above, rising; level.
  const Eigen::VectorXd reasoning = Eigen::Vector<double, 5>(0.3, 0.4, 0.5, 0.6, 0.7);
  const Eigen::VectorXd truthfulness = Eigen::Vector<double, 5>(0.45, 0.2, 0.4, 0.5, 0.5);
  const IsoclineSigns hits = CountIsoclineHits(reasoning, truthfulness);
  EXPECT_EQ(hits.n, 4);
  EXPECT_EQ(hits.above_is_falling, 2);
  EXPECT_EQ(hits.above_is_rising, 1);
  EXPECT_EQ(hits.always_falling, 1);
  EXPECT_EQ(CountIsoclineHits(reasoning.head(1), truthfulness.head(1)).n, 0);
}

TEST(Jackknife, EqualsTheStandardErrorOfAMean) {
  const JsonValue& entry = Cases("jackknife");
  const VectorXd left_out = Vector(entry["left_out"]);
  const Jackknife found = JackknifeOf({left_out.begin(), left_out.end()});
  ExpectClose(found.mean, entry["mean"].GetDouble(), 1e-12);
  ExpectClose(found.standard_error, entry["standard_error"].GetDouble(), 1e-12);
}

}  // namespace
}  // namespace couplingd
