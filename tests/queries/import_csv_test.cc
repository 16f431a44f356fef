#include "queries/import_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace couplingd {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::string& text, const ImportOptions& options = {}) {
  const auto batch = ParseScoresCsv(text, "scores.csv", 0, options);
  return batch ? "accepted" : batch.error().Text();
}

TEST(ImportCsv, ReadsPublishedScores) {
  const auto batch = ParseScoresCsv(
      "model,family,parameters,step,tokens,task,metric,value,stderr,n\n"
      "a-1b,a,1.2B,100,2B,arc_easy,acc,0.5,0.01,2376\n"
      "a-1b,a,1.2B,100,2B,\"truthful, qa\",acc,0.25,,\n"
      "Llama-2-7B,,,,,arc_easy,acc,0.7,,\n",
      "scores.csv", 5, {});
  ASSERT_TRUE(batch) << batch.error().Text();
  ASSERT_EQ(batch->results.size(), 2u);
  const ImportedResult& llama = batch->results[0];
  EXPECT_EQ(llama.step, 1);
  EXPECT_EQ(llama.run.family, "Llama-2");
  EXPECT_FALSE(llama.run.parameters);
  const ImportedResult& a = batch->results[1];
  EXPECT_EQ(a.run.parameters, 1.2e9);
  EXPECT_EQ(a.tokens, 2e9);
  ASSERT_EQ(a.evaluation.scores.size(), 2u);
  EXPECT_EQ(a.evaluation.scores[0].n, 2376);
  EXPECT_EQ(a.evaluation.scores[1].task, "truthful, qa");
  EXPECT_FALSE(a.evaluation.scores[1].stderr_value);
}

TEST(ImportCsv, ReadsPercentOnlyWhenToldSo) {
  const std::string text = "run,task,metric,value,stderr\na,t,acc,43.2,1.5\na,t,ppl,12.5,\n";
  EXPECT_THAT(
      ErrorOf(text),
      HasSubstr(
          "scores.csv:2: value 43.2 of acc is outside 0 to 1 (values are fractions; --percent"));
  const auto batch = ParseScoresCsv(text, "scores.csv", 0, {.percent = true});
  ASSERT_TRUE(batch) << batch.error().Text();
  EXPECT_DOUBLE_EQ(batch->results[0].evaluation.scores[0].value, 0.432);
  EXPECT_DOUBLE_EQ(*batch->results[0].evaluation.scores[0].stderr_value, 0.015);
  EXPECT_EQ(batch->results[0].evaluation.scores[1].value, 12.5);
}

TEST(ImportCsv, ListsEveryBadRow) {
  const std::string error = ErrorOf(
      "run,task,metric,value,step\na,t,acc,x,1\na,t,acc,0.5,one\n,t,acc,0.5,1\na,t,acc,0.5,2\na,t,"
      "acc,0.6,2\na,t\n");
  EXPECT_THAT(error, HasSubstr("scores.csv:2: value: \"x\" is not a number"));
  EXPECT_THAT(error, HasSubstr("scores.csv:3: step: \"one\" is not a number"));
  EXPECT_THAT(error, HasSubstr("scores.csv:4: run, task and metric must not be empty"));
  EXPECT_THAT(error, HasSubstr("scores.csv:6: t.acc of a at step 2 stands twice"));
  EXPECT_THAT(error, HasSubstr("scores.csv:7: 2 fields, the header has 5"));
}

TEST(ImportCsv, RefusesHeadersItDoesNotKnow) {
  EXPECT_THAT(ErrorOf("run,task,metrik,value\na,t,acc,1\n"),
              HasSubstr("unknown column \"metrik\" (did you mean \"metric\"?)"));
  EXPECT_THAT(ErrorOf("run,task,value\na,t,1\n"), HasSubstr("the column \"metric\" is missing"));
  EXPECT_THAT(ErrorOf("run,model,task,metric,value\na,b,t,acc,1\n"), HasSubstr("stands twice"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("no rows"));
}

}  // namespace
}  // namespace couplingd
