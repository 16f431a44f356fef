#include "queries/forecast_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/json.h"
#include "queries/queries.h"
#include "tests/queries/item_history.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

class ForecastAnswers : public ::testing::Test {
 protected:
  ForecastAnswers()
      : history_(::testing::TempDir() + "forecast_answers-" + std::to_string(::getpid())) {
    for (int size = 1; size <= 4; ++size) {
      history_.Add({.run = "web-" + std::to_string(size),
                    .family = "web",
                    .parameters = 1e8 * size,
                    .tasks = {{.task = "arc", .start = -1.0, .slope = 0.12 + 0.01 * size},
                              {.task = "mc", .start = 0.4, .slope = -0.08}},
                    .checkpoints = 12,
                    .seed = static_cast<std::uint64_t>(size)});
    }
  }

  Result<JsonDocument> Ask(QueryParameters parameters) {
    parameters.emplace("axes", "arc.acc,mc.acc");
    const std::string text =
        TRY(Answer(history_.reader(), Config{}, history_.clock(), "forecast", parameters));
    return ParseJson(text, "answer");
  }

  ItemHistory history_;
};

TEST_F(ForecastAnswers, ForecastsEveryBenchmarkOfARunAsADistribution) {
  const auto rows = Ask({{"run", "web-1"}, {"benchmarks", "1"}});
  ASSERT_TRUE(rows) << rows.error().Text();
  ASSERT_EQ(rows->Size(), 2u);
  for (const JsonValue& row : rows->GetArray()) {
    SCOPED_TRACE(row["task"].GetString());
    EXPECT_STREQ(row["run"].GetString(), "web-1");
    EXPECT_STREQ(row["quantity"].GetString(), "score");
    ASSERT_TRUE(row["value"].IsNumber()) << row["reason"].GetString();
    EXPECT_NEAR(row["at"].GetDouble(), 2 * row["observed"].GetDouble(), 1);
    EXPECT_LE(row["low"].GetDouble(), row["low80"].GetDouble());
    EXPECT_LE(row["low80"].GetDouble(), row["value"].GetDouble());
    EXPECT_LE(row["value"].GetDouble(), row["high80"].GetDouble());
    EXPECT_GE(row["past"].GetInt(), 20);
    EXPECT_FALSE(row["weights"].ObjectEmpty());
    ASSERT_GT(row["candidates"].Size(), 1u);
    EXPECT_STREQ(row["candidates"][0]["method"].GetString(), "ensemble");
    EXPECT_THAT(row["choice"].GetString(), HasSubstr("past forecasts like it"));
    const bool rises = std::string(row["task"].GetString()) == "arc";
    EXPECT_EQ(row["value"].GetDouble() > row["last"].GetDouble(), rises);
  }
}

TEST_F(ForecastAnswers, RefusesThePastAndSaysSo) {
  const auto rows = Ask({{"run", "web-1"}, {"task", "arc"}, {"at", "1M"}});
  ASSERT_TRUE(rows) << rows.error().Text();
  ASSERT_EQ(rows->Size(), 1u);
  EXPECT_TRUE((*rows)[0]["value"].IsNull());
  EXPECT_THAT((*rows)[0]["reason"].GetString(), HasSubstr("history"));
  EXPECT_EQ(Ask({{"at", "-1"}, {"task", "arc"}}).error().kind, ErrorKind::kUsage);
}

TEST_F(ForecastAnswers, AFamilyOfFewSizesIsToldWhatItLacksAndThePanelMustHaveTheBenchmark) {
  const auto rows = Ask({{"family", "web"}, {"task", "mc"}});
  ASSERT_TRUE(rows) << rows.error().Text();
  ASSERT_EQ(rows->Size(), 1u);
  EXPECT_TRUE((*rows)[0]["run"].IsNull());
  EXPECT_TRUE((*rows)[0]["value"].IsNull());
  EXPECT_THAT((*rows)[0]["reason"].GetString(), HasSubstr("2 earlier forecasts"));
  const auto panel = Ask({{"family", "web"}, {"task", "mc"}, {"panel", "1"}});
  ASSERT_FALSE(panel);
  EXPECT_THAT(panel.error().Text(), HasSubstr("the shipped panel has no arc.acc"));
}

TEST_F(ForecastAnswers, ShowsTheTermsOfTheOdeOfEveryRunAndOfTheLadder) {
  const auto rows = Ask({{"over", "steps"}, {"terms", "1"}});
  ASSERT_TRUE(rows) << rows.error().Text();
  ASSERT_EQ(rows->Size(), 5u * 6);  // 4 runs and the ladder, 2 equations of 3 terms
  int ladder = 0;
  for (const JsonValue& row : rows->GetArray()) {
    ladder += row["run"].IsNull();
    ASSERT_TRUE(row["inclusion"].IsNumber()) << row["reason"].GetString();
    EXPECT_GE(row["inclusion"].GetDouble(), 0);
    EXPECT_LE(row["inclusion"].GetDouble(), 1);
    EXPECT_LE(row["low"].GetDouble(), row["high"].GetDouble());
  }
  EXPECT_EQ(ladder, 6);
}

TEST_F(ForecastAnswers, TheSignChangeIsAskedForOverStepsOrOverScale) {
  for (const auto& [over, quantity] : {std::pair{"steps", "D_c"}, std::pair{"scale", "N_c"}}) {
    const auto rows = Ask({{"over", over}});
    ASSERT_TRUE(rows) << rows.error().Text();
    ASSERT_GT(rows->Size(), 0u);
    int preferred = 0, reasons = 0;
    for (const JsonValue& row : rows->GetArray()) {
      EXPECT_STREQ(row["quantity"].GetString(), quantity);
      EXPECT_EQ(row["preferred"].IsNull(), over == std::string("steps"));
      preferred += row["preferred"].IsBool() && row["preferred"].GetBool();
      reasons += row["choice"].GetStringLength() > 0;
    }
    EXPECT_LE(preferred, 1);
    EXPECT_EQ(reasons, over == std::string("scale") ? 1 : 0) << "told once for the one family";
  }
}

}  // namespace
}  // namespace couplingd
