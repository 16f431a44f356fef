#include <fmt/format.h>

#include "tests/history/fixture.h"

namespace couplingd {
namespace {

// Runs "a" (generation 2 after a rewind) and "b" of family "f", "c" of family "g"; steps 1 to 3;
// two tasks each.
class Filters : public HistoryTest {
 protected:
  void SetUp() override {
    writer_ = OpenWriter();
    Must(writer_->Transaction([&]() -> Status {
      for (const std::string name : {"c", "b", "a"}) {
        Run run = ExampleRun(name);
        run.family = name == "c" ? "g" : "f";
        run.generation = name == "a" ? 2 : 1;
        const std::int64_t id = TRY(writer_->SaveRun(run));
        for (int generation = 1; generation <= run.generation; ++generation) {
          for (std::int64_t step = 3; step >= 1; --step) TRY(Add(id, generation, step));
        }
      }
      return {};
    }));
    reader_ = OpenReader();
  }

  Status Add(std::int64_t run, int generation, std::int64_t step) {
    Checkpoint checkpoint = ExampleCheckpoint(run, step);
    checkpoint.generation = generation;
    checkpoint.updated_at = kStart + step;
    if (step == 3) checkpoint.tokens.reset();
    Evaluation evaluation = ExampleEvaluation(TRY(writer_->SaveCheckpoint(checkpoint)));
    evaluation.finished_at = kStart + step;
    if (step == 1) evaluation.scores.pop_back();
    TRY(writer_->SaveEvaluation(evaluation));
    return {};
  }

  // "run generation step" of every checkpoint, "run generation step task" of every score.
  std::string Checkpoints(const HistoryFilter& filter) {
    std::map<std::int64_t, std::string> names;
    for (const Run& run : Must(reader_->Runs())) names[run.id] = run.name;
    std::string text;
    for (const Checkpoint& c : Must(reader_->Checkpoints(filter))) {
      text += fmt::format("{}{}{} ", names[c.run_id], c.generation, c.step);
    }
    return text;
  }
  std::string Scores(const HistoryFilter& filter) {
    std::string text;
    for (const ScoreRow& s : Must(reader_->Scores(filter))) {
      text += fmt::format("{}{}{}{} ", s.run, s.generation, s.step, s.score.task.back());
    }
    return text;
  }

  std::unique_ptr<HistoryWriter> writer_;
  std::unique_ptr<HistoryReader> reader_;
};

TEST_F(Filters, SelectTheNewestGenerationOfEachRunByDefault) {
  EXPECT_EQ(Checkpoints({}), "a21 a22 a23 b11 b12 b13 c11 c12 c13 ");
  EXPECT_EQ(Checkpoints({.run = "a", .generation = 1}), "a11 a12 a13 ");
  EXPECT_EQ(Checkpoints({.run = "a", .generation = 0}), "a11 a12 a13 a21 a22 a23 ");
  EXPECT_EQ(Scores({.run = "a"}), "a211 a221 a222 a231 a232 ");
  EXPECT_EQ(Scores({.run = "a", .generation = 1, .limit = 2}), "a111 a121 ");
}

TEST_F(Filters, SelectByRunFamilyAndRange) {
  EXPECT_EQ(Checkpoints({.family = "g"}), "c11 c12 c13 ");
  EXPECT_EQ(Checkpoints({.run = "b", .min_step = 2}), "b12 b13 ");
  EXPECT_EQ(Checkpoints({.run = "b", .max_step = 2}), "b11 b12 ");
  EXPECT_EQ(Checkpoints({.run = "b", .since = kStart + 2, .until = kStart + 2}), "b12 ");
  EXPECT_EQ(Checkpoints({.run = "none"}), "");
  EXPECT_EQ(Checkpoints({.limit = 4}), "a21 a22 a23 b11 ");
  EXPECT_EQ(Scores({.family = "g", .min_step = 3}), "c131 c132 ");
  EXPECT_EQ(Scores({.run = "b", .since = kStart + 3}), "b131 b132 ");
}

TEST_F(Filters, LeaveOutWhatHasNoTokensWhereTokensAreBounded) {
  EXPECT_EQ(Checkpoints({.run = "b", .min_tokens = 2.0 * 2'097'152}), "b12 ");
  EXPECT_EQ(Checkpoints({.run = "b", .max_tokens = 1e12}), "b11 b12 ");
  EXPECT_EQ(Scores({.run = "b", .max_tokens = 1e12}), "b111 b121 b122 ");
}

TEST_F(Filters, SelectByTaskAndMetric) {
  EXPECT_EQ(Scores({.run = "b", .task = "truthfulqa_mc2"}), "b122 b132 ");
  EXPECT_EQ(Scores({.run = "b", .task = "truthfulqa_mc2", .metric = "acc"}), "b122 b132 ");
  EXPECT_EQ(Scores({.run = "b", .metric = "acc_norm"}), "");
  EXPECT_EQ(Checkpoints({.run = "b", .task = "truthfulqa_mc2"}), "b12 b13 ");
  EXPECT_EQ(Checkpoints({.run = "b", .task = "truthfulqa_mc1", .metric = "acc"}), "b11 b12 b13 ");
  EXPECT_EQ(Checkpoints({.run = "b", .metric = "acc_norm"}), "");
}

TEST_F(Filters, BindTheirTextsInsteadOfPastingThem) {
  EXPECT_EQ(Checkpoints({.run = "b' OR '1'='1"}), "");
  EXPECT_EQ(Scores({.task = "x'; DROP TABLE scores; --"}), "");
  EXPECT_EQ(Scores({.run = "b", .max_step = 1}), "b111 ");
}

TEST_F(Filters, ShowTheNewestEvaluationOfASeriesAndKeepSeriesApart) {
  const std::int64_t id = Must(reader_->Checkpoints({.run = "c", .max_step = 1}))[0].id;
  Evaluation again = ExampleEvaluation(id);
  again.key = "other weights";
  again.finished_at = kStart + 500;
  again.scores = {{"truthfulqa_mc1", "acc", 0.75, 0.1, 10}};
  Must(writer_->SaveEvaluation(again));
  auto rows = Must(reader_->Scores({.run = "c", .max_step = 1}));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].score.value, 0.75);
  EXPECT_EQ(rows[0].checkpoint, "/runs/1/step1");
  EXPECT_EQ(rows[0].parameters, 70'426'624.0);
  EXPECT_EQ(rows[0].finished_at, kStart + 500);
  EXPECT_EQ(rows[0].plan_hash, "plan hash");

  again.key = "other dtype";
  again.series_key = "bf16";
  again.scores[0].value = 0.7;
  Must(writer_->SaveEvaluation(again));
  rows = Must(reader_->Scores({.run = "c", .max_step = 1}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].series_key, "bf16");
  EXPECT_EQ(rows[1].series_key, "series");
}

TEST_F(Filters, SelectCouplingsByPlaceAxesAndGeneration) {
  for (const std::int64_t step : {30, 10, 20}) {
    CouplingEstimate estimate = ExampleCoupling();
    estimate.run = "a";
    estimate.generation = step == 10 ? 1 : 2;
    estimate.at = static_cast<double>(step);
    estimate.tokens = static_cast<double>(step);
    Must(writer_->SaveCoupling(estimate));
    estimate.over = CouplingOver::kScale;
    estimate.run = "";
    estimate.generation = 1;
    estimate.axes = "piqa.acc,arc.easy.acc";
    Must(writer_->SaveCoupling(estimate));
  }
  const auto places = [&](const HistoryFilter& filter) {
    std::string text;
    for (const CouplingEstimate& c : Must(reader_->Couplings(filter))) {
      text += fmt::format("{}{} ", c.run.empty() ? "*" : c.run, c.at);
    }
    return text;
  };
  EXPECT_EQ(places({}), "*10 *20 a20 *30 a30 ");
  EXPECT_EQ(places({.run = "a", .generation = 0}), "a10 a20 a30 ");
  EXPECT_EQ(places({.run = "a", .limit = 1}), "a20 ");
  EXPECT_EQ(places({.min_step = 25}), "a30 ");
  EXPECT_EQ(places({.max_tokens = 20.0}), "*10 *20 a20 ");
  EXPECT_EQ(places({.task = "truthfulqa_mc2", .metric = "acc"}), "a20 a30 ");
  EXPECT_EQ(places({.task = "arc.easy"}), "*10 *20 *30 ");
  EXPECT_EQ(places({.task = "arc"}), "");
  EXPECT_EQ(places({.task = "hellaswag", .metric = "acc"}), "");
}

}  // namespace
}  // namespace couplingd
