// Answers that rest on items: noise, rescore, compare, audit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/json.h"
#include "config/config.h"
#include "queries/loss_record.h"
#include "queries/queries.h"
#include "tests/queries/item_history.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

class ItemAnswers : public ::testing::Test {
 protected:
  JsonDocument Ask(std::string_view verb, const QueryParameters& parameters) {
    const auto text = Answer(history_.reader(), config_, history_.clock(), verb, parameters);
    EXPECT_TRUE(text) << text.error().Text();
    auto document = ParseJson(text.value_or("[]"), "answer");
    EXPECT_TRUE(document) << document.error().Text();
    return document ? *std::move(document) : JsonDocument();
  }
  std::string ErrorOf(std::string_view verb, const QueryParameters& parameters) {
    const auto text = Answer(history_.reader(), config_, history_.clock(), verb, parameters);
    return text ? "no error: " + *text : text.error().Text();
  }
  static const JsonValue* Find(const JsonValue& rows, const char* key, std::string_view value) {
    for (const JsonValue& row : rows.GetArray()) {
      if (row[key].IsString() && row[key].GetString() == value) return &row;
    }
    return nullptr;
  }

  ItemHistory history_{::testing::TempDir() + "item_answers-" + std::to_string(::getpid())};
  Config config_ = *ParseConfig(R"(axes:
  - {name: default, reasoning: arc.acc, truthfulness: tqa.acc}
)",
                                "test");
};

TEST_F(ItemAnswers, NoiseSeparatesJumpsFromItemsAndSaysWhatLimits) {
  history_.Add({.run = "a",
                .family = "f",
                .tasks = {{.task = "arc", .start = -1, .slope = 0.1, .items = 4000, .clusters = 40},
                          {.task = "tqa", .jumps = 0.3, .items = 4000}},
                .checkpoints = 24});
  const JsonDocument rows = Ask("noise", {});
  ASSERT_EQ(rows.Size(), 4u);  // acc and log_odds of both
  const JsonValue& steady = rows[0];
  EXPECT_STREQ(steady["task"].GetString(), "arc");
  EXPECT_EQ(steady["checkpoints"].GetInt(), 16);
  EXPECT_EQ(steady["clusters"].GetInt(), 40);
  EXPECT_LT(steady["step_noise"].GetDouble(), 0.01);
  EXPECT_GT(steady["change"].GetDouble(), 0.3);
  EXPECT_GT(steady["snr"].GetDouble(), 20);
  // log_odds is the ability itself, so that its jumps are the ones that were drawn.
  const JsonValue& jumping = rows[3];
  EXPECT_STREQ(jumping["metric"].GetString(), "log_odds");
  EXPECT_LT(jumping["step_noise_low"].GetDouble(), 0.3);
  EXPECT_GT(jumping["step_noise_high"].GetDouble(), 0.3);
  EXPECT_STREQ(jumping["limit"].GetString(), "checkpoints");
  EXPECT_THAT(jumping["reason"].GetString(), HasSubstr("averaging 4 neighbouring checkpoints"));
  EXPECT_STREQ(rows[2]["with"].GetString(), "arc.acc");
  EXPECT_LT(rows[2]["correlation_low"].GetDouble(), 0.2);
}

TEST_F(ItemAnswers, NoiseNeedsCheckpointsAndSaysSo) {
  history_.Add({.run = "a", .family = "f", .tasks = {{.task = "arc"}}, .checkpoints = 4});
  const JsonDocument rows = Ask("noise", {{"task", "arc"}, {"metric", "acc"}});
  ASSERT_EQ(rows.Size(), 1u);
  EXPECT_TRUE(rows[0]["step_noise"].IsNull());
  EXPECT_THAT(rows[0]["reason"].GetString(), HasSubstr("4 checkpoints; 5 are needed"));
}

TEST_F(ItemAnswers, RescoreGivesMetricsThatNobodyAskedForAndNamesBadFiles) {
  history_.Add({.run = "a", .family = "f", .tasks = {{.task = "arc"}}, .checkpoints = 2});
  JsonDocument rows = Ask("rescore", {{"run", "a"}});
  const JsonValue* acc = Find(rows, "metric", "acc");
  const JsonValue* norm = Find(rows, "metric", "acc_norm");
  ASSERT_TRUE(acc && norm && Find(rows, "metric", "acc_bytes") &&
              Find(rows, "metric", "true_mass"));
  EXPECT_EQ((*acc)["value"].GetDouble(), (*acc)["stored"].GetDouble());
  EXPECT_TRUE((*norm)["stored"].IsNull());
  // The right choice is ahead per character once ahead/4 > 5/4 − 5/8, which is rarer.
  EXPECT_LT((*norm)["value"].GetDouble(), (*acc)["value"].GetDouble());
  EXPECT_STREQ((*norm)["evaluation"]["series_key"].GetString(), "series-arc");
  rows = Ask("rescore", {{"run", "a"}, {"metrics", "acc_bytes,mc1"}});
  ASSERT_EQ(rows.Size(), 4u);
  EXPECT_THAT((*Find(rows, "metric", "mc1"))["problem"].GetString(),
              HasSubstr("arc has no metric \"mc1\" (it has acc, acc_norm"));
  for (const auto& entry :
       std::filesystem::directory_iterator(history_.reader().ScoresDirectory())) {
    if (entry.path().extension() == ".scores") std::filesystem::resize_file(entry.path(), 40);
  }
  rows = Ask("rescore", {{"run", "a"}, {"metrics", "acc"}});
  ASSERT_EQ(rows.Size(), 2u);
  EXPECT_TRUE(rows[0]["value"].IsNull());
  EXPECT_THAT(rows[0]["problem"].GetString(), HasSubstr(".scores"));
  EXPECT_FALSE(rows[0]["only_aggregates"].GetBool());
}

TEST_F(ItemAnswers, CompareTellsARealDifferenceFromNoiseAndWhatWouldSettleTheRest) {
  const std::vector<TaskTruth> tasks = {{.task = "arc", .start = -1, .slope = 0.1, .items = 2000},
                                        {.task = "tqa", .start = 1, .slope = -0.1, .items = 300}};
  RunTruth a{.run = "a", .family = "web", .tasks = tasks, .seed = 1};
  RunTruth b{.run = "b", .family = "curated", .tasks = tasks, .seed = 2};
  b.tasks[0].start += 0.2;
  b.tasks[1].start += 0.02;
  b.parameters = 2e8;
  history_.Add(a);
  history_.Add(b);
  const JsonDocument answer = Ask("compare", {{"run_a", "a"}, {"run_b", "b"}});
  EXPECT_STREQ(answer["matched_by"].GetString(), "tokens");
  EXPECT_EQ(answer["a"]["step"].GetInt(), answer["b"]["step"].GetInt());
  EXPECT_TRUE(Find(answer["settings"], "name", "parameters"));
  EXPECT_FALSE(Find(answer["settings"], "name", "tokens_per_step"));
  const JsonValue& arc = *Find(answer["lines"], "what", "arc.acc");
  EXPECT_STREQ(arc["verdict"].GetString(), "better");
  EXPECT_TRUE(arc["survives"].GetBool());
  EXPECT_EQ(arc["n"].GetInt(), 2000);
  EXPECT_GT(arc["p_holm"].GetDouble(), arc["p"].GetDouble());
  const JsonValue& tqa = *Find(answer["lines"], "what", "tqa.acc");
  EXPECT_STREQ(tqa["verdict"].GetString(), "undetermined");
  EXPECT_STRNE(tqa["reason"].GetString(), "");
  const JsonValue& gamma = *Find(answer["lines"], "kind", "gamma");
  EXPECT_STREQ(gamma["verdict"].GetString(), "undetermined");
  EXPECT_LT(gamma["low"].GetDouble(), 0);
  EXPECT_GT(gamma["high"].GetDouble(), 0);
  EXPECT_TRUE(Find(answer["lines"], "kind", "D_c"));
  // Four scores and γ; D_c too where a turn is likely in both.
  EXPECT_GE(answer["looked_at"].GetInt(), 5);
}

TEST_F(ItemAnswers, CompareMatchesNearTheTokensAskedForAndWithinTheTolerance) {
  history_.Add({.run = "a", .family = "f", .tasks = {{.task = "arc"}}});
  history_.Add({.run = "b", .family = "f", .tasks = {{.task = "arc"}}, .checkpoints = 6});
  JsonDocument answer = Ask("compare", {{"run_a", "a"}, {"run_b", "b"}});
  EXPECT_EQ(answer["a"]["step"].GetInt(), 1139);  // the last that both have
  answer = Ask("compare", {{"run_a", "a"}, {"run_b", "b"}, {"at", "300M"}});
  EXPECT_EQ(answer["b"]["step"].GetInt(), 338);
  EXPECT_THAT(ErrorOf("compare", {{"run_a", "a"}, {"run_b", "c"}}),
              HasSubstr("there is no run \"c\" (there are a, b)"));
  EXPECT_THAT(ErrorOf("compare", {{"run_a", "a"}, {"run_b", "a"}}), HasSubstr("with itself"));
  EXPECT_THAT(ErrorOf("compare", {{"run_a", "a"}}), HasSubstr("run_b: the name of a run"));
  EXPECT_THAT(ErrorOf("compare", {{"run_a", "a"}, {"run_b", "b"}, {"tolerance", "-1"}}),
              HasSubstr("tolerance"));
}

TEST_F(ItemAnswers, ComparePairsItemsByTheirIdsWherePlansDiffer) {
  history_.Add({.run = "a", .family = "f", .tasks = {{.task = "arc", .items = 300}}});
  history_.Add({.run = "b", .family = "f", .tasks = {{.task = "arc", .items = 250}}, .seed = 2});
  const JsonDocument answer = Ask("compare", {{"run_a", "a"}, {"run_b", "b"}});
  const JsonValue& line = *Find(answer["lines"], "what", "arc.acc");
  EXPECT_EQ(line["n"].GetInt(), 250);
  EXPECT_THAT(line["reason"].GetString(), HasSubstr("250 of 300 items are common"));
}

TEST_F(ItemAnswers, TheLossIsPutBesideTheCouplingAndTestedWhereItsSignChanges) {
  const auto add_run = [&](const std::string& name, double parameters, double jump, double at) {
    history_.Add({.run = name,
                  .family = "web",
                  .parameters = parameters,
                  .tasks = {{.task = "arc", .start = -1, .slope = 0.1, .items = 3000},
                            {.task = "tqa", .start = 1, .slope = -0.1, .items = 3000, .turn = 11}},
                  .checkpoints = 20});
    std::mt19937_64 engine(11);
    std::normal_distribution<double> normal;
    std::vector<LossPoint> points;
    for (int i = 0; i < 900; ++i) {
      const auto step = static_cast<std::int64_t>(std::lround(3000 * std::pow(1.0053, i)));
      if (!points.empty() && points.back().step == step) continue;
      const double tokens = 1e6 * static_cast<double>(step);
      points.push_back({step, std::nullopt,
                        1.7 + 400 * std::pow(tokens, -0.3) + 1e3 * std::pow(parameters, -0.5) +
                            0.005 * normal(engine) + (tokens > at ? jump : 0)});
    }
    ASSERT_TRUE(RecordLosses(history_.writer(), {name, name + ".csv", points}));
  };
  add_run("smooth", 1e8, 0, 0);
  const double change = Ask("loss", {})[0]["change_at"].GetDouble();
  EXPECT_GT(change, 1e8 * std::pow(1.5, 11));
  EXPECT_LT(change, 1e8 * std::pow(1.5, 19));
  add_run("stepped", 2e8, 0.2, change);
  const JsonDocument rows = Ask("loss", {});
  ASSERT_EQ(rows.Size(), 3u);
  const JsonValue& smooth = rows[0];
  EXPECT_STREQ(smooth["over"].GetString(), "tokens");
  EXPECT_LT(smooth["exponent_low"].GetDouble(), 0.3);
  EXPECT_GT(smooth["exponent_high"].GetDouble(), 0.3);
  EXPECT_THAT(smooth["reason"].GetString(), HasSubstr("smooth through the sign change near"));
  EXPECT_GE(smooth["step_p"].GetDouble(), 0.05);
  EXPECT_GT(smooth["n"].GetInt(), 8);
  EXPECT_LT(smooth["partial_low"].GetDouble(), smooth["partial_high"].GetDouble());
  EXPECT_THAT(rows[1]["reason"].GetString(), HasSubstr("speaks against a loss that is blind"));
  EXPECT_TRUE(rows[2]["run"].IsNull());
  EXPECT_THAT(rows[2]["reason"].GetString(), HasSubstr("2 places; 5 are needed"));
  const JsonDocument couplings = Ask("coupling", {{"run", "smooth"}, {"step", "10000.."}});
  ASSERT_GT(couplings.Size(), 0u);
  EXPECT_NEAR(couplings[0]["loss"].GetDouble(),
              1.7 + 400 * std::pow(couplings[0]["tokens"].GetDouble(), -0.3) + 0.1, 0.02);
  const JsonDocument compared = Ask("compare", {{"run_a", "smooth"}, {"run_b", "stepped"}});
  const JsonValue* loss = Find(compared["lines"], "what", "training.loss");
  ASSERT_TRUE(loss);
  EXPECT_STREQ((*loss)["verdict"].GetString(), "worse");
}

TEST_F(ItemAnswers, AuditChecksWhatIsClaimed) {
  for (int size = 0; size < 5; ++size) {
    history_.Add(
        {.run = "web-" + std::to_string(size),
         .family = "web",
         .parameters = 1e8 * std::pow(2, size),
         .tasks = {{.task = "arc", .start = -1 + 0.3 * size, .slope = 0.1, .items = 2000},
                   {.task = "tqa", .start = 1 - 0.25 * size, .slope = -0.1, .items = 2000}},
         .seed = static_cast<std::uint64_t>(size)});
  }
  const JsonDocument rows = Ask("audit", {{"name", "web"}});
  ASSERT_EQ(rows.Size(), 36u);  // six checks of five runs and their family
  const auto family = [&](std::string_view check) -> const JsonValue& {
    for (const JsonValue& row : rows.GetArray()) {
      if (row["run"].IsNull() && row["check"].GetString() == check) return row;
    }
    return rows[0];
  };
  EXPECT_STREQ(family("relabelling")["verdict"].GetString(), "holds");
  EXPECT_THAT(family("relabelling")["result"].GetString(), HasSubstr("of 120 labellings"));
  EXPECT_STREQ(family("leave one out")["verdict"].GetString(), "holds");
  EXPECT_THAT(family("leave one out")["result"].GetString(),
              HasSubstr("tax with any one left out"));
  EXPECT_STREQ(family("other metrics")["verdict"].GetString(), "holds");
  EXPECT_THAT(family("other metrics")["result"].GetString(), HasSubstr("tqa.log_odds"));
  EXPECT_STREQ(family("shared items")["verdict"].GetString(), "holds");
  EXPECT_STREQ(family("chance and ceiling")["verdict"].GetString(), "holds");
  EXPECT_THAT(family("power")["result"].GetString(), HasSubstr("would be told from 0"));
  EXPECT_THAT(ErrorOf("audit", {{"name", "none"}}), HasSubstr("no run and no family \"none\""));
  const JsonDocument same = Ask("audit", {{"name", "web-0"}, {"axes", "arc.acc,arc.log_odds"}});
  EXPECT_STREQ((*Find(same, "check", "shared items"))["verdict"].GetString(), "fails");
}

}  // namespace
}  // namespace couplingd
