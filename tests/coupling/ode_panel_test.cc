#include "coupling/ode_panel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

OdeModel Model(double constant, double own) {
  OdeModel model{.degree = 1, .coefficients = MatrixXd(2, 1)};
  model.coefficients << constant, own;
  return model;
}

// Families whose rate is constant + own·B, the constant differing by `spread` between them.
std::vector<OdeGroup> Families(int count, double spread, double noise,
                               std::vector<double>& constants) {
  Random random(7);
  std::vector<OdeGroup> groups;
  for (int g = 0; g < count; ++g) {
    constants.push_back(0.4 + spread * random.Normal());
    const VectorXd x = VectorXd::LinSpaced(7, 0, 3);
    auto scores = IntegrateOde(Model(constants.back(), -0.5), 0, VectorXd::Constant(1, 0.2), x);
    EXPECT_TRUE(scores);
    for (double& score : scores->reshaped()) score += noise * random.Normal();
    groups.push_back({"family " + std::to_string(g), x, *scores});
  }
  return groups;
}

TEST(PanelOde, FamiliesOfOneLawAreGivenThatLaw) {
  std::vector<double> constants;
  const auto fit = FitPanelOde(Families(6, 0, 0.003, constants));
  ASSERT_TRUE(fit) << fit.error().Text();
  EXPECT_EQ(fit->rows, 36);
  EXPECT_NEAR(fit->pooled.coefficients(0, 0), 0.4, 0.02);
  EXPECT_NEAR(fit->pooled.coefficients(1, 0), -0.5, 0.05);
  for (const OdeModel& model : fit->models) {
    const double difference =
        model.Derivative(fit->centre)[0] - fit->pooled.Derivative(fit->centre)[0];
    EXPECT_LT(std::abs(difference), 0.01);
  }
}

TEST(PanelOde, FamiliesThatDifferKeepTheirOwnRates) {
  std::vector<double> constants;
  const auto fit = FitPanelOde(Families(8, 0.1, 0.003, constants));
  ASSERT_TRUE(fit) << fit.error().Text();
  EXPECT_NEAR(std::sqrt(fit->between(0, 0)), 0.1, 0.05);
  for (std::size_t g = 0; g < constants.size(); ++g) {
    EXPECT_NEAR(fit->models[g].Derivative(fit->centre)[0], constants[g] - 0.5 * fit->centre[0],
                0.02);
  }
}

TEST(PanelOde, AFamilyOfOneSizeGetsThePooledModel) {
  std::vector<double> constants;
  auto groups = Families(5, 0.1, 0.003, constants);
  groups.push_back({"young", VectorXd::Zero(1), MatrixXd::Constant(1, 1, 0.3)});
  const auto fit = FitPanelOde(groups);
  ASSERT_TRUE(fit) << fit.error().Text();
  EXPECT_LT((fit->models[5].coefficients - fit->pooled.coefficients).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(PanelOde, RefusesWithoutDegreesOfFreedom) {
  const std::vector<OdeGroup> groups{{"one", VectorXd::LinSpaced(3, 0, 1), MatrixXd::Random(3, 2)}};
  const auto fit = FitPanelOde(groups);
  ASSERT_FALSE(fit);
  EXPECT_THAT(fit.error().Text(), ::testing::HasSubstr("2 intervals of all families together"));
}

}  // namespace
}  // namespace couplingd
