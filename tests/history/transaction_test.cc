#include "tests/history/fixture.h"

namespace couplingd {
namespace {

using Transactions = HistoryTest;

TEST_F(Transactions, CommitEverythingTogether) {
  auto writer = OpenWriter();
  auto reader = OpenReader();
  Must(writer->Transaction([&]() -> Status {
    TRY(writer->SetValue("a", "1"));
    TRY(writer->SetValue("b", "2"));
    EXPECT_EQ(Must(writer->reader().Value("a")), "1");
    EXPECT_FALSE(Must(reader->Value("a")));
    return {};
  }));
  EXPECT_EQ(Must(reader->Value("a")), "1");
  EXPECT_EQ(Must(reader->Value("b")), "2");
}

TEST_F(Transactions, LeaveNothingBehindOnAnError) {
  auto writer = OpenWriter();
  const Status status = writer->Transaction([&]() -> Status {
    TRY(writer->SetValue("a", "1"));
    return Fail(ErrorKind::kCancelled, "stopped");
  });
  EXPECT_EQ(ErrorText(status), "cancelled: stopped");
  EXPECT_FALSE(Must(writer->reader().Value("a")));
  Must(writer->SetValue("a", "2"));
  EXPECT_EQ(Must(OpenReader()->Value("a")), "2");
}

TEST_F(Transactions, NestAndCommitWithTheOutermost) {
  auto writer = OpenWriter();
  auto reader = OpenReader();
  const Status status = writer->Transaction([&]() -> Status {
    TRY(writer->Transaction([&] { return writer->SetValue("inner", "1"); }));
    EXPECT_FALSE(Must(reader->Value("inner")));
    return Fail(ErrorKind::kCancelled, "stopped");
  });
  EXPECT_FALSE(status);
  EXPECT_FALSE(Must(reader->Value("inner")));
}

TEST_F(Transactions, UndoOnlyTheInnerPartWhereTheOuterGoesOn) {
  auto writer = OpenWriter();
  Must(writer->Transaction([&]() -> Status {
    TRY(writer->SetValue("outer", "1"));
    const Status inner = writer->Transaction([&]() -> Status {
      TRY(writer->SetValue("inner", "1"));
      TRY(writer->SetValue("outer", "2"));
      TRY(writer->SaveEvaluation(ExampleEvaluation(99)));  // no such checkpoint
      return {};
    });
    EXPECT_EQ(inner.error().kind, ErrorKind::kNotFound);
    return writer->SetValue("after", "1");
  }));
  auto reader = OpenReader();
  EXPECT_EQ(Must(reader->Value("outer")), "1");
  EXPECT_EQ(Must(reader->Value("after")), "1");
  EXPECT_FALSE(Must(reader->Value("inner")));
}

TEST_F(Transactions, KeepAnEvaluationWholeWhereOneScoreIsRefused) {
  auto writer = OpenWriter();
  const std::int64_t run = Must(writer->SaveRun(ExampleRun("a")));
  const std::int64_t checkpoint = Must(writer->SaveCheckpoint(ExampleCheckpoint(run, 1)));
  Evaluation evaluation = ExampleEvaluation(checkpoint);
  Must(writer->SaveEvaluation(evaluation));
  evaluation.scores.push_back(evaluation.scores[0]);
  evaluation.device = "other";
  EXPECT_EQ(writer->SaveEvaluation(evaluation).error().kind, ErrorKind::kConflict);
  const auto stored = Must(writer->reader().Evaluations(checkpoint));
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].device, "cpu");
  EXPECT_EQ(stored[0].scores.size(), 2u);
}

TEST_F(Transactions, RefuseToMoveTheLogWhileOpen) {
  auto writer = OpenWriter();
  Must(writer->Transaction([&]() -> Status {
    EXPECT_EQ(writer->CheckpointLog().error().kind, ErrorKind::kUsage);
    return {};
  }));
  Must(writer->CheckpointLog());
}

}  // namespace
}  // namespace couplingd
