#include "queries/scored_sides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "history/score_file.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/requests.h"
#include "queries/import.h"

namespace couplingd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ScoredSides : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ + "/" + name) << text;
    return root_ + "/" + name;
  }
  ScoredSide Facts(const std::string& text) {
    ScoredSide side;
    const Status added = AddResultsFacts(Write("results.json", text), side);
    EXPECT_TRUE(added) << added.error().Text();
    return side;
  }
  const std::string root_ = ::testing::TempDir() + "scored_sides-" + std::to_string(::getpid());
  const std::string samples_ = std::string(COUPLINGD_SOURCE_DIR) +
                               "/tests/probes/benchmark/data/samples_arc_easy_2025-01-01T00-00-00."
                               "000000.jsonl";
};

TEST_F(ScoredSides, TakeFromResultsWhatLmEvalStatesOfTheModel) {
  const ScoredSide side = Facts(
      R"({"results":{},"config":{"model_args":"pretrained=x,add_bos_token=True","model_dtype":"torch.bfloat16"},
          "max_length":4096,"tokenizer_bos_token":["<s>","1"],"tokenizer_eos_token":["</s>","2"],
          "lm_eval_version":"0.4.9"})");
  EXPECT_EQ(side.dtype, "bf16");
  EXPECT_EQ(side.bos, BosMode::kTrue);
  EXPECT_EQ(side.max_length, 4096u);
  ASSERT_EQ(side.specials.size(), 2u);
  EXPECT_EQ(side.specials[1].text, "</s>");
  EXPECT_EQ(side.specials[1].id, 2);
}

TEST_F(ScoredSides, LeaveOpenWhatResultsDoNotState) {
  const ScoredSide old = Facts(
      R"({"results":{},"config":{"model_args":{"pretrained":"x","dtype":"float16"}},
          "tokenizer_bos_token":[null,"None"],"lm_eval_version":"0.4.9.1"})");
  EXPECT_EQ(old.dtype, "fp16");
  EXPECT_FALSE(old.bos);
  EXPECT_FALSE(old.max_length);
  EXPECT_TRUE(old.specials.empty());
  const ScoredSide newer =
      Facts(R"({"results":{},"config":{"model_args":"pretrained=x"},"lm_eval_version":"0.4.13"})");
  EXPECT_EQ(newer.bos, BosMode::kAuto) << "left to the tokenizer";
  EXPECT_EQ(newer.dtype, "");
}

TEST_F(ScoredSides, RefuseAFileThatIsNoResults) {
  ScoredSide side;
  const Status added = AddResultsFacts(Write("x.json", R"({"a":1})"), side);
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().Text(), HasSubstr("has no \"results\" and \"config\""));
  EXPECT_FALSE(AddResultsFacts(Write("y.json", "[1]"), side));
  EXPECT_FALSE(AddResultsFacts(Write("z.json", "{"), side));
}

TEST_F(ScoredSides, FindTheResultsOfTheSamplesDate) {
  const std::string results = Write("results_2025-01-01T00-00-00.0.json", "{}");
  EXPECT_EQ(ResultsBeside(root_ + "/samples_arc_easy_2025-01-01T00-00-00.0.jsonl"), results);
  EXPECT_EQ(ResultsBeside(root_ + "/samples_arc_easy_2026-01-01T00-00-00.0.jsonl"), "");
  EXPECT_EQ(ResultsBeside(root_ + "/mine.jsonl"), "");
}

TEST_F(ScoredSides, OfARunNeedThePackThatItWasScoredWith) {
  const ScoredSide file = *SideOfSamples(samples_, "");
  ManualClock clock{1000};
  auto writer = *HistoryWriter::Open(root_ + "/state", clock);
  const std::string folder = writer->reader().ScoresDirectory();
  TaskPlan plan = MakePlan(file.pack, {});
  for (ItemInfo& item : plan.items) {
    for (ChoiceInfo& choice : item.choices) choice.tokens = 3;
  }
  ImportedResult result;
  result.run = {.name = "web", .family = "web"};
  result.checkpoint = "/c/step5";
  result.step = 5;
  result.evaluation = {.key = "k", .series_key = "s", .pack = "arc_easy"};
  result.evaluation.pack_hash = PackHash(file.pack);
  result.evaluation.dtype = "bf16";
  result.evaluation.plan_hash = *WritePlanFile(folder, plan);
  result.evaluation.scores_hash = *WriteScoreFile(folder, file.scores, result.evaluation.plan_hash);
  const auto metrics = ComputeMetrics(plan, file.scores);
  for (const MetricResult& metric : *metrics) result.evaluation.scores.push_back(metric.score);
  ASSERT_TRUE(RecordImport(*writer, clock, {result}));
  HistoryReader& history = writer->reader();
  const auto side = SideOfRun(history, "web", std::nullopt, file.pack);
  ASSERT_TRUE(side) << side.error().Text();
  EXPECT_EQ(side->dtype, "bf16");
  EXPECT_THAT(side->scored_tokens[1], ElementsAre(3, 3, 3));
  EXPECT_EQ(side->scores.scores[2][0].log_likelihood, file.scores.scores[2][0].log_likelihood);
  Pack other = file.pack;
  other.items[0].contexts[0] += "?";
  const auto refused = SideOfRun(history, "web", 5, other);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().Text(), HasSubstr("was scored with the pack " + PackHash(file.pack)));
  other.name = "piqa";
  EXPECT_THAT(SideOfRun(history, "web", 5, other).error().Text(),
              HasSubstr("web step 5: no scores of the pack piqa are stored"));
  EXPECT_THAT(SideOfRun(history, "nobody", 5, other).error().Text(),
              HasSubstr("there is no run \"nobody\""));
}

}  // namespace
}  // namespace couplingd
