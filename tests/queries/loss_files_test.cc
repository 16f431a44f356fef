#include "queries/loss_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "queries/loss_record.h"

namespace couplingd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Written by tensorboard and wandb themselves; see the README there.
const std::string kData = COUPLINGD_SOURCE_DIR "/tests/queries/data/loss";

class LossFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ + "/" + name, std::ios::binary) << text;
    return root_ + "/" + name;
  }
  std::string ErrorOf(const std::string& text, const std::string& key = "") {
    const auto log = ReadLossLog(Write("log", text), key);
    return log ? "accepted as " + log->format : log.error().Text();
  }
  static std::vector<std::pair<std::int64_t, double>> Points(const LossLog& log) {
    std::vector<std::pair<std::int64_t, double>> points;
    for (const LossPoint& point : log.points) points.emplace_back(point.step, point.loss);
    return points;
  }
  const std::string root_ = ::testing::TempDir() + "loss_files-" + std::to_string(::getpid());
};

TEST_F(LossFiles, ReadsWhatTensorboardAndWandbWrote) {
  const auto expected = ParseJsonFile(kData + "/losses.json");
  ASSERT_TRUE(expected) << expected.error().Text();
  for (const auto& [file, format] : {std::pair{"events.out.tfevents.simple", "tensorboard"},
                                     {"events.out.tfevents.tensor", "tensorboard"},
                                     {"run-offline.wandb", "wandb"}}) {
    const auto log = ReadLossLog(kData + "/" + file, "");
    ASSERT_TRUE(log) << log.error().Text();
    EXPECT_EQ(log->format, format);
    EXPECT_EQ(log->name, "train/loss");
    EXPECT_TRUE(log->notes.empty()) << log->notes[0];
    const auto& steps = (*expected)["steps"];
    const auto& losses = (*expected)["losses"];
    ASSERT_EQ(log->points.size(), steps.Size()) << file;
    for (rapidjson::SizeType i = 0; i < steps.Size(); ++i) {
      EXPECT_EQ(log->points[i].step, steps[i].GetInt64());
      EXPECT_NEAR(log->points[i].loss, losses[i].GetDouble(), 1e-7) << file << i;
    }
  }
}

TEST_F(LossFiles, ACutOrDamagedBinaryLogIsCutOrRefusedNeverMisread) {
  for (const char* file : {"events.out.tfevents.simple", "run-offline.wandb"}) {
    const std::string whole = *ReadFile(kData + "/" + file);
    const std::size_t points = ReadLossLog(kData + "/" + file, "")->points.size();
    for (std::size_t size = whole.size() - 1; size > whole.size() / 2; size -= whole.size() / 37) {
      const auto log = ReadLossLog(Write("cut", whole.substr(0, size)), "");
      if (!log) continue;  // before the first loss
      EXPECT_LE(log->points.size(), points);
    }
    int refused = 0;
    for (std::size_t at = 20; at < whole.size(); at += whole.size() / 61) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      const auto log = ReadLossLog(Write("damaged", damaged), "");
      refused += !log;
      // A padding byte may differ; a value may not.
      EXPECT_TRUE(!log || log->points.size() == points) << file << " byte " << at;
    }
    EXPECT_GT(refused, 50) << file;
  }
  const std::string whole = *ReadFile(kData + "/events.out.tfevents.simple");
  const auto cut = ReadLossLog(Write("cut", whole.substr(0, whole.size() - 3)), "");
  ASSERT_TRUE(cut);
  EXPECT_THAT(cut->notes, ElementsAre(HasSubstr("its last record is incomplete")));
}

TEST_F(LossFiles, ReadsTheTrainersStateAndLeavesEvaluationOut) {
  const auto log = ReadLossLog(Write("trainer_state.json", R"({
    "global_step": 20, "log_history": [
      {"epoch": 0.1, "loss": 9.5, "learning_rate": 1e-3, "step": 10, "num_input_tokens_seen": 20480},
      {"eval_loss": 9.1, "step": 10}, {"loss": NaN, "step": 15},
      {"loss": 8.25, "step": 20}, {"train_runtime": 3.0, "train_loss": 8.9, "step": 20}]})"),
                               "");
  ASSERT_TRUE(log) << log.error().Text();
  EXPECT_EQ(log->format, "trainer_state");
  EXPECT_EQ(log->name, "loss");
  EXPECT_THAT(Points(*log), ElementsAre(std::pair(10, 9.5), std::pair(20, 8.25)));
  EXPECT_EQ(log->points[0].tokens, 20480);
  EXPECT_FALSE(log->points[1].tokens);
  EXPECT_THAT(log->notes, ElementsAre(HasSubstr("1 values are not finite")));
}

TEST_F(LossFiles, ReadsJsonLinesMegatronAndCsv) {
  auto log = ReadLossLog(Write("a.jsonl",
                               "{\"_step\": 1, \"train/loss\": 3}\n\n{\"_step\": 2, "
                               "\"train/loss\": 2.5, \"val/loss\": 3}\n{\"_step\": 3, \"tr"),
                         "");
  ASSERT_TRUE(log) << log.error().Text();
  EXPECT_EQ(log->format, "json_lines");
  EXPECT_THAT(Points(*log), ElementsAre(std::pair(1, 3.0), std::pair(2, 2.5)));
  EXPECT_THAT(log->notes, ElementsAre(HasSubstr("its last line is incomplete")));
  log = ReadLossLog(
      Write(
          "log.txt",
          "setting up\n [2026-01-01 10:00:00] iteration      100/  500000 | consumed samples: "
          "    1600 | consumed tokens:      3276800 | elapsed time per iteration (ms): 12.5 | "
          "learning rate: 1.000E-05 | lm loss: 1.0500E+01 | loss scale: 65536.0 |\n"
          " iteration 200/ 500000 | consumed tokens: 6553600 | lm loss: 9.5E+00 | loss scale: 1.0 |"
          "\nvalidation loss at iteration 200 | lm loss value: 9.9 |\n"),
      "");
  ASSERT_TRUE(log) << log.error().Text();
  EXPECT_EQ(log->format, "megatron");
  EXPECT_EQ(log->name, "lm loss");
  EXPECT_THAT(Points(*log), ElementsAre(std::pair(100, 10.5), std::pair(200, 9.5)));
  EXPECT_EQ(log->points[1].tokens, 6553600);
  log = ReadLossLog(Write("l.csv", "step,tokens,loss\r\n2,200,4\r\n1,100,5\r\n2,200,3.5\r\n"), "");
  ASSERT_TRUE(log) << log.error().Text();
  EXPECT_EQ(log->format, "csv");
  EXPECT_THAT(Points(*log), ElementsAre(std::pair(1, 5.0), std::pair(2, 3.5)));
  EXPECT_THAT(log->notes, ElementsAre(HasSubstr("1 steps were logged again")));
}

TEST_F(LossFiles, SaysWhatIsWrongAndWhatToDo) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("it is empty"));
  EXPECT_THAT(ErrorOf("a,b\n1,2\n"), HasSubstr("its header has no column \"step\""));
  EXPECT_THAT(ErrorOf("step,loss\nx,2\n"), HasSubstr(":2: \"x\" is no step"));
  EXPECT_THAT(ErrorOf("step,loss\n1\n"), HasSubstr(":2: 1 fields, the header has 2"));
  EXPECT_THAT(ErrorOf("step,lr\n1,2\n"),
              HasSubstr("no training loss in it (name one with --key: lr)"));
  EXPECT_THAT(ErrorOf("step,moe_loss,z_loss\n1,2,3\n"),
              HasSubstr("several of its values may be the training loss (name one with --key: "
                        "moe_loss, z_loss)"));
  EXPECT_EQ(ErrorOf("step,moe_loss,z_loss\n1,2,3\n", "z_loss"), "accepted as csv");
  EXPECT_THAT(ErrorOf("{\"log_history\": 3}"), HasSubstr("\"log_history\" must be a list"));
  EXPECT_THAT(ErrorOf("{\"step\": 1, \"loss\": 2}\n{\"step\": nope}\n{\"step\": 3, \"loss\": 1}\n"),
              HasSubstr("log:2"));
  EXPECT_FALSE(ReadLossLog(root_ + "/absent", ""));
}

TEST_F(LossFiles, ThinsByAveragingNeighbours) {
  std::vector<LossPoint> points;
  for (int i = 1; i <= 10; ++i) points.push_back({i, std::nullopt, static_cast<double>(i)});
  const auto thinned = ThinLosses(points, 5);
  ASSERT_EQ(thinned.size(), 5u);
  EXPECT_EQ(thinned[0].step, 2);
  EXPECT_EQ(thinned[0].loss, 1.5);
  EXPECT_EQ(thinned[4].step, 10);
  EXPECT_EQ(ThinLosses(points, 10).size(), 10u);
}

TEST_F(LossFiles, AreRecordedOnceAndReplacedByALongerLogOfTheSameName) {
  ManualClock clock{1000};
  auto writer = HistoryWriter::Open(root_ + "/state", clock);
  ASSERT_TRUE(writer) << writer.error().Text();
  ASSERT_TRUE((*writer)->SaveRun({.name = "a", .family = "f", .tokens_per_step = 10}));
  const LossImport import{"a", "log.csv", {{1, std::nullopt, 3.0}, {2, 25.0, 2.5}}};
  const auto parsed = LossImportFromJson(ToJson(import));
  ASSERT_TRUE(parsed) << parsed.error().Text();
  EXPECT_EQ(RecordLosses(**writer, *parsed)->recorded, 2);
  EXPECT_EQ(RecordLosses(**writer, *parsed)->recorded, 0);
  auto rows = (*writer)->reader().Losses({});
  ASSERT_TRUE(rows) << rows.error().Text();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].point.tokens, 10);  // from the run's tokens per step
  EXPECT_EQ((*rows)[1].point.tokens, 25);
  EXPECT_EQ(RecordLosses(**writer, {"a", "log.csv", {{3, std::nullopt, 2.0}}})->recorded, 1);
  EXPECT_EQ((*writer)->reader().Losses({})->size(), 1u);
  const auto unknown = RecordLosses(**writer, {"b", "log.csv", {}});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().Text(), HasSubstr("there is no run \"b\""));
  EXPECT_FALSE(LossImportFromJson(R"({"run":"a","source":"s","points":[[1,2]]})"));
}

}  // namespace
}  // namespace couplingd
