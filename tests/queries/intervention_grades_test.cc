#include "queries/intervention_grades.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "config/config.h"
#include "queries/queries.h"

namespace couplingd {
namespace {

CouplingEstimate Estimate(double at, double gamma, const std::string& axes = "a.acc,b.acc") {
  return {.family = "web",
          .run = "web-1b",
          .axes = axes,
          .at = at,
          .gamma = gamma,
          .low = gamma - 0.1,
          .high = gamma + 0.1,
          .phase = gamma < 0 ? Phase::kTax : Phase::kBonus,
          .method = "york",
          .n = 3};
}

Alert TaxAlert() {
  Finding finding{
      .rule = "tax",
      .kind = "phase",
      .run = "web-1b",
      .subject = "a.acc,b.acc,steps",
      .active = true,
      .labels = {{"run", "web-1b"}, {"family", "web"}, {"axes", "a.acc,b.acc"}, {"over", "steps"}},
      .values = {{"gamma", -0.4}, {"low", -0.5}, {"high", -0.3}, {"step", 100}},
      .interventions = {
          {.kind = "curate",
           .action = "Curate.",
           .reason = "It falls.",
           .evidence = {"one", "two"},
           .expected =
               ExpectedEffect{.quantity = "gamma", .text = "It rises.", .value = 0.3, .low = 0.1},
           .preconditions = {"Tokens are to come."},
           .against = {"A heuristic."}},
          {.kind = "rotate", .action = "Rotate.", .reason = "Flat."}}};
  return {.key = "k", .sequence = 1, .starts_at = 5, .finding = finding};
}

class InterventionGradesTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<HistoryWriter> Open() {
    auto writer = HistoryWriter::Open(directory_, clock_);
    EXPECT_TRUE(writer) << writer.error().Text();
    return *std::move(writer);
  }
  const std::string directory_ =
      ::testing::TempDir() + "intervention_grades_test-" + std::to_string(::getpid());
  ManualClock clock_{1000};
};

TEST_F(InterventionGradesTest, AreTheSameAfterARestart) {
  {
    const auto writer = Open();
    ASSERT_TRUE(writer->SaveRun({.name = "web-1b", .family = "web"}));
    ASSERT_TRUE(writer->SaveAlert(TaxAlert()));
    ASSERT_TRUE(writer->SaveCoupling(Estimate(100, -0.4)));
    const auto grader = InterventionGrader::Read(writer->reader());
    ASSERT_TRUE(grader) << grader.error().Text();
    EXPECT_EQ(grader->Grade(TaxAlert())[0].reason, "no estimate of γ since");
    for (const auto& [step, gamma] :
         {std::pair(150, -0.3), std::pair(200, 0.0), std::pair(250, 0.4)})
      ASSERT_TRUE(writer->SaveCoupling(Estimate(step, gamma)));
    ASSERT_TRUE(writer->SaveCoupling(Estimate(250, 0.6, "c.acc,d.acc")));
  }
  const auto writer = Open();
  const auto alerts = writer->reader().Alerts({});
  ASSERT_TRUE(alerts);
  ASSERT_EQ(alerts->size(), 1u);
  const Intervention& curate = (*alerts)[0].finding.interventions[0];
  EXPECT_EQ(curate.evidence, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(curate.preconditions.size(), 1u);
  EXPECT_EQ(curate.against.size(), 1u);
  ASSERT_TRUE(curate.expected);
  EXPECT_EQ(curate.expected->low, 0.1);
  EXPECT_FALSE(curate.expected->high);
  EXPECT_FALSE((*alerts)[0].finding.interventions[1].expected);
  const auto grader = InterventionGrader::Read(writer->reader());
  ASSERT_TRUE(grader);
  const std::vector<InterventionGrade> grades = grader->Grade((*alerts)[0]);
  ASSERT_EQ(grades.size(), 2u);
  EXPECT_EQ(grades[0].verdict, GradeVerdict::kHolds) << grades[0].reason;
  EXPECT_NEAR(*grades[0].change, 0.8, 1e-12);
  EXPECT_EQ(grades[1].verdict, GradeVerdict::kHolds) << grades[1].reason;
}

TEST_F(InterventionGradesTest, StandInTheAnswerToAlerts) {
  const auto writer = Open();
  ASSERT_TRUE(writer->SaveRun({.name = "web-1b", .family = "web"}));
  ASSERT_TRUE(writer->SaveAlert(TaxAlert()));
  const auto answer = Answer(writer->reader(), Config(), clock_, "alerts", {});
  ASSERT_TRUE(answer) << answer.error().Text();
  EXPECT_NE(answer->find(R"("grade":{"verdict":"undetermined","change":null)"), std::string::npos)
      << *answer;
  EXPECT_NE(answer->find(R"("expected":{"quantity":"gamma","text":"It rises.","value":0.3)"),
            std::string::npos);
}

}  // namespace
}  // namespace couplingd
