#include "queries/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace couplingd {
namespace {

ImportedResult Result1(const std::string& run, std::int64_t step, double value) {
  ImportedResult result;
  result.source = "test";
  result.run = {.name = run, .family = "f", .parameters = 1e6, .tokens_per_step = 100};
  result.step = step;
  result.tokens = 100.0 * static_cast<double>(step);
  result.checkpoint = "hf:x@step" + std::to_string(step);
  result.evaluation.key = "imported:lm-eval:legacy:0shot|k";
  result.evaluation.series_key = result.evaluation.harness = "imported:lm-eval:legacy:0shot";
  result.evaluation.pack = "lm-eval";
  result.evaluation.finished_at = 5;
  result.evaluation.scores = {{"arc", "acc", value, 0.01, 100},
                              {"arc", "acc_norm", value / 2, std::nullopt, std::nullopt}};
  return result;
}

class ImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    auto writer = HistoryWriter::Open(directory_, clock_);
    ASSERT_TRUE(writer) << writer.error().Text();
    writer_ = *std::move(writer);
  }
  ImportSummary Record(const std::vector<ImportedResult>& results) {
    const auto summary = RecordImport(*writer_, clock_, results);
    EXPECT_TRUE(summary) << summary.error().Text();
    return summary.value_or(ImportSummary());
  }

  const std::string directory_ = ::testing::TempDir() + "import_test-" + std::to_string(::getpid());
  ManualClock clock_{1000};
  std::unique_ptr<HistoryWriter> writer_;
};

TEST_F(ImportTest, TheSameResultsAgainChangeNothing) {
  const std::vector<ImportedResult> results = {Result1("a", 1, 0.5), Result1("a", 2, 0.6),
                                               Result1("b", 1, 0.7)};
  EXPECT_EQ(Record(results).recorded, 3);
  const ImportSummary again = Record(results);
  EXPECT_EQ(again.recorded, 0);
  EXPECT_EQ(again.unchanged, 3);
  EXPECT_EQ(writer_->reader().Scores({})->size(), 6u);
  EXPECT_EQ(writer_->reader().Checkpoints({})->size(), 3u);
}

TEST_F(ImportTest, AChangedValueReplacesTheOldOne) {
  Record({Result1("a", 1, 0.5)});
  EXPECT_EQ(Record({Result1("a", 1, 0.8)}).recorded, 1);
  const auto rows = writer_->reader().Scores({});
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(rows->at(0).score.value, 0.8);
}

TEST_F(ImportTest, JoinsTheCheckpointsOfAWatchedRun) {
  couplingd::Run run{.name = "a", .family = "mine", .path = "/runs/a", .generation = 2};
  run.id = *writer_->SaveRun(run);
  Checkpoint checkpoint{.run_id = run.id, .generation = 2, .step = 1, .path = "/runs/a/step1"};
  ASSERT_TRUE(writer_->SaveCheckpoint(checkpoint));
  const ImportSummary summary = Record({Result1("a", 1, 0.5)});
  ASSERT_EQ(summary.notes.size(), 1u);
  EXPECT_EQ(summary.notes[0], "run a stays in family mine, not f");
  EXPECT_EQ(writer_->reader().Checkpoints({})->size(), 1u);
  const couplingd::Run after = **writer_->reader().FindRun("a");
  EXPECT_EQ(after.path, "/runs/a");
  EXPECT_EQ(after.generation, 2);
  EXPECT_EQ(after.parameters, 1e6);
  EXPECT_EQ(writer_->reader().Scores({})->at(0).checkpoint, "/runs/a/step1");
}

TEST_F(ImportTest, ABadResultRecordsNothing) {
  ImportedResult bad = Result1("b", 1, 0.5);
  bad.evaluation.scores.push_back(bad.evaluation.scores[0]);
  EXPECT_FALSE(RecordImport(*writer_, clock_, {Result1("a", 1, 0.5), bad}));
  EXPECT_TRUE(writer_->reader().Runs()->empty());
}

TEST(ImportJson, CarriesEverythingAndRefusesWhatIsIncomplete) {
  const std::vector<ImportedResult> results = {Result1("a", 1, 0.1), Result1("b", 2, 1.0 / 3)};
  const auto read = ImportFromJson(ImportToJson(results));
  ASSERT_TRUE(read) << read.error().Text();
  EXPECT_EQ(ImportToJson(*read), ImportToJson(results));
  EXPECT_EQ(read->at(1).evaluation.scores[0].value, 1.0 / 3);
  ImportedResult empty = results[0];
  empty.evaluation.scores.clear();
  EXPECT_FALSE(ImportFromJson(ImportToJson({empty})));
  EXPECT_FALSE(ImportFromJson("{\"results\": [1]}"));
  EXPECT_FALSE(ImportFromJson("[]"));
}

TEST(ImportJson, SplitsBelowALimit) {
  std::vector<ImportedResult> results;
  for (int i = 0; i < 50; ++i) results.push_back(Result1("a", i, 0.5));
  const auto parts = SplitForTransport(results, 4096);
  std::size_t total = 0;
  for (const auto& part : parts) {
    EXPECT_LE(ImportToJson(part).size(), 4096u);
    total += part.size();
  }
  EXPECT_GT(parts.size(), 5u);
  EXPECT_EQ(total, 50u);
}

}  // namespace
}  // namespace couplingd
