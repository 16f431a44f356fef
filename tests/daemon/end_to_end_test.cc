// The real programs on real files: a daemon, its worker, a store, a receiver. Checkpoints come from
// the demo's trainer.
#include "tests/daemon/end_to_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace couplingd {
namespace {

using testing::HasSubstr;

TEST_F(EndToEnd, OnceEvaluatesWhatIsThereAndASecondTimeDoesNothing) {
  Lay(20);
  Lay(40);
  const ProcessOutput first = Once();
  ASSERT_TRUE(first.exit.ok()) << first.err;
  EXPECT_EQ(States(), "20 evaluated, 40 evaluated");
  const JsonDocument scores = Ask("scores");
  ASSERT_EQ(scores.Size(), 2u * 2u * 3u)
      << "two checkpoints, two tasks, acc, acc_norm and log_odds";
  for (const JsonValue& score : scores.GetArray()) EXPECT_EQ(score["n"].GetInt(), 400);
  const ProcessOutput second = Once();
  ASSERT_TRUE(second.exit.ok()) << second.err;
  EXPECT_THAT(second.err, testing::Not(HasSubstr("is being evaluated")));
}

TEST_F(EndToEnd, AWorkerThatIsKeptAndATimeThatSufficesForAllItemsChangeNoScore) {
  for (const int step : {20, 40, 60}) Lay(step);
  ASSERT_TRUE(Once().exit.ok());
  const auto values = [this] {
    std::string text;
    const JsonDocument scores = Ask("scores");
    for (const JsonValue& score : scores.GetArray()) {
      text += JsonWriter().Value(score["value"]).Text() + " ";
    }
    return text;
  };
  const std::string cold = values();
  fs::remove_all(JoinPath(directory_, "state"));
  Configure("evaluation: {", "evaluation: {warm_worker: true, budget: 1h, ");
  const ProcessOutput output = Once();
  ASSERT_TRUE(output.exit.ok()) << output.err;
  EXPECT_EQ(States(), "20 evaluated, 40 evaluated, 60 evaluated");
  EXPECT_EQ(values(), cold);
}

TEST_F(EndToEnd, WhatATimeMeansInItemsIsDecidedByOneEvaluationWhileTheOthersWait) {
  Lay(20);
  Lay(40);
  Configure("evaluation: {", "evaluation: {budget: 1h, ");
  HoldEvaluations();
  Configure("executor: {", "executor: {concurrency: 2, ");
  StartDaemon();
  ASSERT_TRUE(Eventually([&] {
    return States() == "20 evaluating, 40 queued" || States() == "20 queued, 40 evaluating";
  })) << States();
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ(Started(), 1);
  LetThemEnd();
  EXPECT_TRUE(Eventually([&] { return States() == "20 evaluated, 40 evaluated"; })) << States();
  EXPECT_EQ(Started(), 2);
}

TEST_F(EndToEnd, ATruncatedFileWaitsWithItsReasonAndIsEvaluatedWhenItIsWhole) {
  Lay(20);
  const std::string weights = JoinPath(Checkpoint(20), "model.safetensors");
  fs::resize_file(weights, fs::file_size(weights) / 2);
  StartDaemon();
  ASSERT_TRUE(Eventually([&] { return States() == "20 waiting"; })) << States();
  EXPECT_THAT(std::string(Ask("checkpoints")[0]["reason"].GetString()),
              HasSubstr("model.safetensors"));
  Lay(20);
  EXPECT_TRUE(Eventually([&] { return States() == "20 evaluated"; })) << States();
}

TEST_F(EndToEnd, WeightsThatAreNotNumbersAreRefusedByTensorNameAndRaiseAnAlert) {
  Lay(20);
  const std::string weights = JoinPath(Checkpoint(20), "model.safetensors");
  std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4, std::ios::end);  // the last tensor by name is model.norm.weight
  file.write("\x00\x00\xc0\x7f", 4);
  file.close();
  const ProcessOutput output = Once();
  ASSERT_TRUE(output.exit.ok()) << output.err;
  EXPECT_EQ(States(), "20 refused");
  EXPECT_THAT(std::string(Ask("checkpoints")[0]["reason"].GetString()),
              HasSubstr("model.norm.weight"));
  const std::vector<ReceivedAlert> alerts = receiver_->Take();
  ASSERT_FALSE(alerts.empty());
  EXPECT_EQ(alerts[0].kind, "bad_checkpoint");
}

TEST_F(EndToEnd, ARewrittenStepIsEvaluatedAgainAndARewoundRunBeginsAGeneration) {
  Lay(20);
  Lay(40);
  ASSERT_TRUE(Once().exit.ok());
  Lay(40, 60);
  ASSERT_TRUE(Once().exit.ok());
  EXPECT_EQ(States(), "20 evaluated, 40 evaluated, 40 evaluated");
  EXPECT_EQ(Ask("runs")[0]["generation"].GetInt(), 1);
  Lay(20, 60);
  ASSERT_TRUE(Once().exit.ok());
  EXPECT_EQ(Ask("runs")[0]["generation"].GetInt(), 2);
}

TEST_F(EndToEnd, WhatAKilledDaemonLeftUndoneIsDoneByTheNext) {
  StartDaemon();
  for (int step : {20, 40, 60}) Lay(step);
  ASSERT_TRUE(Eventually([&] {
    return States().find("evaluating") != std::string::npos ||
           States().find("evaluated") != std::string::npos;
  }));
  daemon_->Signal(SIGKILL);
  (void)daemon_->Wait();
  daemon_.reset();
  const ProcessOutput output = Once();
  ASSERT_TRUE(output.exit.ok()) << output.err;
  EXPECT_EQ(States(), "20 evaluated, 40 evaluated, 60 evaluated");
}

TEST_F(EndToEnd, ASecondDaemonOnTheSameStoreIsTurnedAwayByName) {
  StartDaemon();
  const ProcessOutput second = Call({Program("couplingd"), config_});
  EXPECT_EQ(second.exit.code, 69);
  EXPECT_THAT(second.err, HasSubstr(std::to_string(daemon_->pid())));
  EXPECT_TRUE(EndDaemon().ok());
}

TEST_F(EndToEnd, ABadConfigurationLeavesTheOldOneLiveAndSaysSo) {
  StartDaemon();
  const std::string good = ReadFile(config_).value();
  ASSERT_TRUE(WriteFileAtomically(config_, good + "unknown_key: 1\n", 0644));
  daemon_->Signal(SIGHUP);
  const std::string database = directory_ + "/state";
  ASSERT_TRUE(Eventually([&] {
    return Call({Program("couplingctl"), "--socket", database + "/couplingd.sock", "status"})
               .out.find("unknown_key") != std::string::npos;
  }));
  ASSERT_TRUE(WriteFileAtomically(config_, good, 0644));
  daemon_->Signal(SIGHUP);
  Lay(20);
  EXPECT_TRUE(Eventually([&] { return States() == "20 evaluated"; })) << States();
  EXPECT_TRUE(EndDaemon().ok());
}

TEST_F(EndToEnd, AnEvaluationGoesOnAcrossAReloadThatDoesNotConcernIt) {
  HoldEvaluations();
  Lay(20);
  StartDaemon();
  ASSERT_TRUE(Eventually([&] { return States() == "20 evaluating"; })) << States();
  Configure("name: damaged", "name: broken");
  daemon_->Signal(SIGHUP);
  ASSERT_TRUE(Eventually([&] { return Log().find("reloaded /") != std::string::npos; }));
  EXPECT_EQ(States(), "20 evaluating");
  LetThemEnd();
  EXPECT_TRUE(Eventually([&] { return States() == "20 evaluated"; })) << States();
  EXPECT_EQ(Ask("checkpoints")[0]["attempts"].GetInt(), 1);
  EXPECT_EQ(Started(), 1);
  EXPECT_TRUE(EndDaemon().ok());
}

TEST_F(EndToEnd, AReloadThatAsksForAnotherEvaluationStopsTheOneUnderWay) {
  HoldEvaluations();
  Lay(20);
  StartDaemon();
  ASSERT_TRUE(Eventually([&] { return States() == "20 evaluating"; })) << States();
  Configure("threads: 1", "threads: 2");
  daemon_->Signal(SIGHUP);
  ASSERT_TRUE(Eventually([&] { return Started() == 2; }));
  LetThemEnd();
  EXPECT_TRUE(Eventually([&] { return States() == "20 evaluated"; })) << States();
  EXPECT_EQ(Ask("checkpoints")[0]["attempts"].GetInt(), 1);
  EXPECT_TRUE(EndDaemon().ok());
}

TEST_F(EndToEnd, ABrokenItemPackIsNotTheCheckpointsFault) {
  const std::string pack = JoinPath(directory_, "packs/web/reasoning.jsonl");
  const std::string good = ReadFile(pack).value();
  ASSERT_TRUE(WriteFileAtomically(pack, "{\"context\": \"the\"}\n", 0644));
  Lay(20);
  ASSERT_TRUE(Once().exit.ok());
  EXPECT_EQ(States(), "20 failed");
  EXPECT_THAT(std::string(Ask("checkpoints")[0]["reason"].GetString()),
              HasSubstr("reasoning.jsonl"));
  const std::vector<ReceivedAlert> alerts = receiver_->Take();
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, "evaluation_failing");
  ASSERT_TRUE(WriteFileAtomically(pack, good, 0644));
  const ProcessOutput retried =
      Call({Program("couplingctl"), "--config", config_, "retry", "--failed"});
  ASSERT_TRUE(retried.exit.ok()) << retried.err;
  ASSERT_TRUE(Once().exit.ok());
  EXPECT_EQ(States(), "20 evaluated");
}

TEST_F(EndToEnd, ALayoutThatTheRunNamesOutweighsTheDirectorysName) {
  Lay(20);
  fs::remove(JoinPath(Checkpoint(20), "trainer_state.json"));
  ASSERT_TRUE(Once().exit.ok());
  EXPECT_EQ(States(), "20 waiting");
  Configure("    d_model: 8\n", "    d_model: 8\n    layout: step\n");
  ASSERT_TRUE(Once().exit.ok());
  EXPECT_EQ(States(), "20 evaluated");
}

TEST_F(EndToEnd, ADeadWebhookLosesNothing) {
  const std::string url = receiver_->Url();
  receiver_.reset();
  Lay(20);
  ASSERT_TRUE(WriteFileAtomically(JoinPath(Checkpoint(20), "config.json"),
                                  "{\"model_type\": \"nonesuch\"}", 0644));
  StartDaemon();
  ASSERT_TRUE(Eventually([&] { return States() == "20 refused"; })) << States();
  ASSERT_TRUE(
      Eventually([&] { return Ask("deliveries").IsArray() && !Ask("deliveries").Empty(); }));
  EXPECT_STREQ(Ask("deliveries")[0]["state"].GetString(), "pending");
  EXPECT_TRUE(EndDaemon().ok());
  EXPECT_STREQ(Ask("deliveries")[0]["state"].GetString(), "pending");
}

TEST_F(EndToEnd, ACheckpointThatIsDeletedBeforeItsTurnEndsAsVanished) {
  StartDaemon();
  Lay(20);
  const std::string weights = JoinPath(Checkpoint(20), "model.safetensors");
  fs::resize_file(weights, 100);
  ASSERT_TRUE(Eventually([&] { return States() == "20 waiting"; })) << States();
  fs::remove_all(Checkpoint(20));
  EXPECT_TRUE(Eventually([&] { return States() == "20 vanished"; })) << States();
}

TEST_F(EndToEnd, TheTrainersWordWaivesTheQuietPeriod) {
  Configure("quiet_local: 500ms", "quiet_local: 1h");
  StartDaemon();
  Lay(20);
  const ProcessOutput told = Call({Program("couplingctl"), "--config", config_, "notify", "web-8",
                                   Checkpoint(20), "--tokens", "1.5M"});
  ASSERT_TRUE(told.exit.ok()) << told.err;
  ASSERT_TRUE(Eventually([&] { return States() == "20 evaluated"; })) << States();
  EXPECT_EQ(Ask("checkpoints")[0]["tokens"].GetDouble(), 1.5e6);
}

TEST_F(EndToEnd, ScheduleFinalEvaluatesTheLastAndSaysWhyNotTheOthers) {
  Configure("    d_model: 8\n", "    d_model: 8\n    schedule: final\n");
  Lay(20);
  Lay(40);
  const ProcessOutput once = Once();
  ASSERT_TRUE(once.exit.ok()) << once.err;
  EXPECT_EQ(States(), "20 skipped, 40 evaluated");
  EXPECT_STREQ(Ask("checkpoints")[0]["reason"].GetString(), "schedule final: the run goes on");
}

TEST_F(EndToEnd, APreservedCheckpointIsEvaluatedAndLeavesNothingBehind) {
  Configure("    d_model: 8\n", "    d_model: 8\n    preserve: hardlink\n");
  Lay(20);
  const ProcessOutput once = Once();
  ASSERT_TRUE(once.exit.ok()) << once.err;
  EXPECT_EQ(States(), "20 evaluated");
  EXPECT_TRUE(fs::is_empty(JoinPath(directory_, "state/preserved")));
}

TEST_F(EndToEnd, InternalsAreStoredWithEveryCheckpointAndTrackedLikeAnyAxis) {
  Configure("evaluation: {", "evaluation: {internals: true, ");
  Lay(20);
  Lay(60);
  for (const int step : {20, 60}) Lengthen(step);
  StartDaemon();
  ASSERT_TRUE(Eventually([&] { return States() == "20 evaluated, 60 evaluated"; })) << States();
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {Program("couplingctl"), "--config", config_});
    words.push_back("--json");
    return Call(std::move(words)).out;
  };
  const auto internals = ParseJson(ask({"internals", "web-8"}), "internals");
  ASSERT_TRUE(internals && internals->IsArray() && !internals->Empty());
  int layer = 0;
  for (const JsonValue& row : internals->GetArray()) {
    EXPECT_EQ(row["layer"].GetInt(), ++layer);
    EXPECT_LE(std::abs(row["coupling"].GetDouble()), 1);
    EXPECT_LE(row["low"].GetDouble(), row["coupling"].GetDouble());
    EXPECT_LE(row["coupling"].GetDouble(), row["high"].GetDouble());
    EXPECT_GE(row["d_rep"].GetDouble(), 1);
    EXPECT_TRUE(row["relabelled"].IsNumber() && row["reinitialised"].IsNumber());
  }
  const JsonDocument scores = Ask("scores");
  std::string task;
  std::map<std::int64_t, double> stored;  // by step
  for (const JsonValue& score : scores.GetArray()) {
    const std::string metric = score["metric"].GetString();
    if (metric != "layer_coupling_l1") continue;
    task = score["task"].GetString();
    stored[score["step"].GetInt64()] = score["value"].GetDouble();
  }
  ASSERT_THAT(task, testing::StartsWith("internals:"));
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_NE(stored[20], stored[60]) << "the weights differ";
  EXPECT_DOUBLE_EQ(stored[60], (*internals)[0]["coupling"].GetDouble());
  const std::string axes = "reasoning.acc," + task + ".layer_coupling_l1";
  const std::string told = ask({"history", "--run", "web-8", "--axes", axes});
  const auto history = ParseJson(told, "history");
  ASSERT_TRUE(history && history->Size() == 2u) << told;
  EXPECT_DOUBLE_EQ((*history)[1]["truthfulness"].GetDouble(), stored[60]);
  EXPECT_TRUE(EndDaemon().ok());
  EXPECT_EQ(ask({"history", "--run", "web-8", "--axes", axes}), told) << "without the daemon";
}

TEST_F(EndToEnd, NothingIsWrittenIntoAWatchedDirectory) {
  Lay(20);
  std::map<std::string, fs::file_time_type> before, after;
  const auto look = [&](auto& into) {
    into[run_] = fs::last_write_time(run_);
    for (const auto& entry : fs::recursive_directory_iterator(run_))
      into[entry.path()] = entry.last_write_time();
  };
  look(before);
  ASSERT_TRUE(Once().exit.ok());
  look(after);
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace couplingd
