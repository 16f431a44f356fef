#include "queries/import_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "history/score_file.h"
#include "probes/benchmark/metrics.h"
#include "queries/import_lm_eval.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

// What lm-eval 0.4.13 wrote (tests/probes/benchmark/data/README.md).
const std::string kData = COUPLINGD_SOURCE_DIR "/tests/probes/benchmark/data";
constexpr const char* kDate = "2025-01-01T00-00-00.000000";

class ImportSamplesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ + "/out");
    std::filesystem::create_directories(scores_);
    const auto results = ReadFile(kData + "/lm_eval_results.json");
    ASSERT_TRUE(results) << results.error().Text();
    std::ofstream(results_) << R"({"lm_eval_version": "0.4.13", "n-shot": {}, "configs": {},
      "config": {"model_args": "pretrained=org/web-1b,revision=step500"}, "results": )"
                            << *results << "}";
  }
  std::string CopySamples(const std::string& task) {
    const std::string name = "samples_" + task + "_" + kDate + ".jsonl";
    std::filesystem::copy_file(kData + "/" + name, root_ + "/out/" + name);
    return root_ + "/out/" + name;
  }
  ImportBatch Read(const std::vector<std::string>& paths) {
    auto batch = ReadLmEval(paths, {});
    EXPECT_TRUE(batch) << batch.error().Text();
    return batch ? *std::move(batch) : ImportBatch();
  }

  const std::string root_ =
      ::testing::TempDir() + "import_samples_test-" + std::to_string(::getpid());
  const std::string scores_ = root_ + "/scores";
  const std::string results_ = root_ + "/out/results_" + kDate + ".json";
};

TEST_F(ImportSamplesTest, ItemsGiveTheScoresThatLmEvalGave) {
  for (const char* task : {"arc_easy", "hellaswag", "piqa", "winogrande", "truthfulqa_mc1",
                           "truthfulqa_mc2", "mmlu_abstract_algebra"}) {
    CopySamples(task);
  }
  ImportBatch batch = Read({root_ + "/out"});
  ASSERT_EQ(batch.samples.size(), 7u);
  const auto attached = AttachSamples(batch, scores_);
  ASSERT_TRUE(attached) << attached.error().Text();
  EXPECT_TRUE(batch.notes.empty()) << batch.notes[0];
  int compared = 0;
  for (const ImportedResult& result : batch.results) {
    const Evaluation& evaluation = result.evaluation;
    EXPECT_EQ(evaluation.series_key, batch.results[0].evaluation.series_key);
    if (evaluation.plan_hash.empty()) continue;
    const auto plan = ReadPlanFile(scores_, evaluation.plan_hash);
    const auto scores = ReadScoreFile(scores_, evaluation.scores_hash);
    ASSERT_TRUE(plan && scores);
    for (const Score& score : evaluation.scores) {
      const auto metric = ComputeMetrics(*plan, *scores, {score.metric});
      ASSERT_TRUE(metric) << metric.error().Text();
      EXPECT_NEAR((*metric)[0].score.value, score.value, 1e-12) << score.task << score.metric;
      ASSERT_TRUE(score.stderr_value);
      EXPECT_NEAR(*(*metric)[0].score.stderr_value, *score.stderr_value, 1e-12) << score.task;
      compared += score.metric != "log_odds";
    }
  }
  EXPECT_EQ(compared, 10);  // acc of seven tasks, acc_norm of three
}

TEST_F(ImportSamplesTest, ItemsOfAnotherEvaluationAreLeftOut) {
  const std::string path = CopySamples("arc_easy");
  std::string text = *ReadFile(path);
  for (std::size_t at; (at = text.find("\"-6.5\"")) != std::string::npos;)
    text.replace(at, 6, "\"-60.0\"");
  std::ofstream(path) << text;
  ImportBatch found = Read({results_});
  ASSERT_EQ(found.samples.size(), 1u);
  ASSERT_TRUE(AttachSamples(found, scores_));
  ASSERT_EQ(found.results.size(), 1u);
  EXPECT_TRUE(found.results[0].evaluation.scores_hash.empty());
  ASSERT_EQ(found.notes.size(), 1u);
  EXPECT_THAT(found.notes[0], HasSubstr("its items give arc_easy.acc = 0.000000, the results file "
                                        "says 0.333333"));
  ImportBatch named = Read({results_, path});
  const auto refused = AttachSamples(named, scores_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidData);
}

TEST_F(ImportSamplesTest, SaysWhatASamplesFileLacks) {
  const std::string path = CopySamples("piqa");
  const auto alone = ReadLmEval({path}, {});
  ASSERT_FALSE(alone);
  EXPECT_THAT(alone.error().Text(), HasSubstr("samples belong to a results_*.json"));
  const std::string elsewhere = root_ + "/samples_piqa_2024-01-01T00-00-00.000000.jsonl";
  std::filesystem::copy_file(path, elsewhere);
  ImportBatch batch = Read({results_, elsewhere});
  const auto refused = AttachSamples(batch, scores_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().Text(), HasSubstr("belongs to none of the results files"));
  std::ofstream(path) << R"({"doc_id":0,"target":0,"arguments":[["q"," a"],["q"," b"]],)"
                      << R"("filtered_resps":[["-1.0","False"],["nan","False"]]})";
  ImportBatch bad = Read({results_, path});
  const auto unread = AttachSamples(bad, scores_);
  ASSERT_FALSE(unread);
  EXPECT_THAT(unread.error().Text(), HasSubstr(".jsonl:1"));
  EXPECT_THAT(unread.error().Text(), HasSubstr("response 1 is no pair"));
}

}  // namespace
}  // namespace couplingd
