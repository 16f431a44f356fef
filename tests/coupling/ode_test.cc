#include "coupling/ode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "coupling/stlsq.h"
#include "tests/coupling/fixtures.h"
#include "tests/coupling/panel_rows.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

TEST(Stlsq, EqualsPysindy) {
  const JsonDocument document = fixtures::Read("stlsq.json");
  for (const JsonValue& entry : document["cases"].GetArray()) {
    SCOPED_TRACE(entry["name"].GetString());
    StlsqOptions options{.threshold = entry["threshold"].GetDouble(),
                         .ridge = entry["alpha"].GetDouble()};
    if (entry.HasMember("unbias")) options.unbias = entry["unbias"].GetBool();
    if (entry.HasMember("normalize_columns")) {
      options.normalize_columns = entry["normalize_columns"].GetBool();
    }
    const auto coefficients =
        FitStlsq(fixtures::Matrix(entry["library"]), fixtures::Matrix(entry["targets"]), options);
    ASSERT_TRUE(coefficients);
    const MatrixXd wanted = fixtures::Matrix(entry["coefficients"]);
    EXPECT_LT((*coefficients - wanted).cwiseAbs().maxCoeff(), 1e-9);
  }
}

TEST(Stlsq, RefusesRowsThatAreNotFinite) {
  MatrixXd library = MatrixXd::Ones(3, 1);
  library(1, 0) = std::nan("");
  EXPECT_FALSE(FitStlsq(library, MatrixXd::Ones(3, 1), {}));
  EXPECT_FALSE(FitStlsq(MatrixXd::Ones(3, 1), MatrixXd::Ones(2, 1), {}));
}

TEST(OdeLibrary, HasTheTermsAndTheOrderOfPysindy) {
  const JsonDocument document = fixtures::Read("stlsq.json");
  for (const JsonValue& entry : document["cases"].GetArray()) {
    if (!entry.HasMember("states")) continue;
    const MatrixXd library = OdeLibrary(fixtures::Matrix(entry["states"]), 2);
    EXPECT_LT((library - fixtures::Matrix(entry["library"])).cwiseAbs().maxCoeff(), 1e-9);
    return;
  }
  FAIL() << "no fixture with states";
}

TEST(Ode, IntegratesAndFindsTheSignChangeLikeScipy) {
  const JsonDocument document = fixtures::Read("ode.json");
  const JsonValue& entry = document["cases"];
  const OdeModel model{.degree = 2, .coefficients = fixtures::Matrix(entry["coefficients"])};
  const VectorXd start = fixtures::Vector(entry["start"]);
  const auto states = IntegrateOde(model, 0, start, fixtures::Vector(entry["at"]));
  ASSERT_TRUE(states) << states.error().Text();
  EXPECT_LT((*states - fixtures::Matrix(entry["states"])).cwiseAbs().maxCoeff(), 1e-7);
  const auto turn = FirstSignChange(model, 0, start, 3, 0, 1);
  ASSERT_TRUE(turn);
  EXPECT_NEAR(*turn, entry["sign_change"].GetDouble(), 1e-5);
}

TEST(Ode, RecoversTheCoefficientsThatMadeATrajectory) {
  OdeModel truth{.degree = 1, .coefficients = MatrixXd(3, 2)};
  truth.coefficients << 0.5, -0.1, -0.6, 0, 0, -0.2;
  const VectorXd x = VectorXd::LinSpaced(60, 0, 3);
  const auto scores = IntegrateOde(truth, 0, Eigen::Vector2d(0.2, 0.6), x);
  ASSERT_TRUE(scores);
  const auto fit = FitOde(x, *scores, 1);
  ASSERT_TRUE(fit);
  EXPECT_LT((fit->model.coefficients - truth.coefficients).cwiseAbs().maxCoeff(), 2e-3);
}

TEST(Ode, AnUnneededTermIsDroppedUnderNoise) {
  OdeModel truth{.degree = 1, .coefficients = MatrixXd(3, 2)};
  truth.coefficients << 0.5, -0.1, -0.6, 0, 0, 0;
  const VectorXd x = VectorXd::LinSpaced(12, 0, 3);
  auto scores = IntegrateOde(truth, 0, Eigen::Vector2d(0.2, 0.6), x);
  ASSERT_TRUE(scores);
  for (Index k = 0; k < scores->rows(); ++k) (*scores)(k, 1) += k % 2 == 0 ? 1e-3 : -1e-3;
  const auto fit = FitOde(x, *scores, 1);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->model.coefficients(1, 1), 0);
  EXPECT_EQ(fit->model.coefficients(2, 1), 0);
  EXPECT_NEAR(fit->model.coefficients(0, 1), -0.1, 0.01);
}

TEST(Ode, ReproducesThePublishedInSampleError) {
  const auto models = FamilyOf(CleanedPanel(panel::Shipped()), "Pythia");
  const VectorXd x = LogSizesOf(models);
  const MatrixXd scores = 100 * ScoreMatrix(models, FiveScores());
  const auto fit = FitOdeAtThreshold(MakeOdeRows(x, scores), 1, 0);
  ASSERT_TRUE(fit);
  const auto states = IntegrateOde(fit->model, x[0], scores.row(0).transpose(), x);
  ASSERT_TRUE(states) << states.error().Text();
  const double error = (*states - scores).cwiseAbs().mean();
  EXPECT_NEAR(error, 1.06, 0.005);                        // points
  EXPECT_NEAR(100 * error / scores.mean(), 2.63, 0.005);  // percent of the mean score
}

TEST(Ode, RefusesWithoutDegreesOfFreedomAndSaysWhatIsMissing) {
  const VectorXd x = VectorXd::LinSpaced(6, 0, 1);
  EXPECT_TRUE(FitOde(x, MatrixXd::Random(6, 2), 1));
  const auto quadratic = FitOde(x, MatrixXd::Random(6, 2), 2);
  ASSERT_FALSE(quadratic);
  EXPECT_THAT(quadratic.error().Text(),
              ::testing::HasSubstr("5 intervals for 6 coefficients per equation leave no degrees"));
  EXPECT_THAT(quadratic.error().hint, ::testing::HasSubstr("2 more places"));
}

TEST(Ode, ADivergingTrajectoryIsAnErrorAndNoSignChange) {
  OdeModel explosive{.degree = 2, .coefficients = MatrixXd::Zero(6, 2)};
  explosive.coefficients(3, 0) = 10;  // a' = 10 a²: infinite at x = 0.1
  explosive.coefficients(0, 1) = 1;
  EXPECT_FALSE(IntegrateOde(explosive, 0, Eigen::Vector2d(1, 0), VectorXd::LinSpaced(5, 0, 1)));
  EXPECT_FALSE(FirstSignChange(explosive, 0, Eigen::Vector2d(1, 0), 1, 0, 1));
}

}  // namespace
}  // namespace couplingd
