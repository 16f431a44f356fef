#include "daemon/scanner.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"

namespace couplingd {
namespace {

class Scan : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/couplingd-scan-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name, const std::string& content = "x") {
    const std::string path = JoinPath(root_, name);
    std::filesystem::create_directories(DirectoryName(path));
    std::ofstream(path) << content;
  }
  ScanResult Run(std::size_t newest = 0) {
    auto result = ScanRun({root_, false, newest, {}});
    EXPECT_TRUE(result);
    return result.value_or(ScanResult{});
  }
  std::string root_;
};

TEST_F(Scan, FindsCheckpointsByNameInTheOrderOfSteps) {
  Write("checkpoint-1000/model.safetensors");
  Write("checkpoint-200/model.safetensors");
  Write("tmp-checkpoint-300/model.safetensors");
  Write("logs/events");
  const ScanResult result = Run();
  ASSERT_EQ(result.candidates.size(), 2u);
  EXPECT_EQ(result.candidates[0].step, 200);
  EXPECT_EQ(result.candidates[1].step, 1000);
}

TEST_F(Scan, TakesComposersFilesForCheckpoints) {
  Write("ep1-ba20-rank0.pt");
  Write("ep0-ba4-rank0.pt");
  Write("ep0-ba4-rank1.pt");
  std::filesystem::create_symlink("ep1-ba20-rank0.pt", JoinPath(root_, "latest-rank0.pt"));
  const ScanResult result = Run();
  ASSERT_EQ(result.candidates.size(), 2u);
  EXPECT_EQ(result.candidates[0].step, 4);
  EXPECT_EQ(result.candidates[1].step, 20);
  const std::string before = result.candidates[1].fingerprint;
  Write("ep1-ba20-rank0.pt", "more");
  EXPECT_NE(Run().candidates[1].fingerprint, before);
}

TEST_F(Scan, TakesBareNumbersForCheckpointsOnlyWhereNanotronWroteThem) {
  Write("20/model/lm_head/pp_block/model_weight.safetensors");
  Write("20/checkpoint_metadata.json");
  Write("30/events");
  const ScanResult result = Run();
  ASSERT_EQ(result.candidates.size(), 1u);
  EXPECT_EQ(result.candidates[0].step, 20);
  const std::string before = result.candidates[0].fingerprint;
  Write("20/model/lm_head/pp_block/model_weight.safetensors", "more");
  EXPECT_NE(Run().candidates[0].fingerprint, before);
}

TEST_F(Scan, TakesABareModelDirectoryAsTheOneCandidate) {
  Write("config.json");
  Write("model.safetensors");
  const ScanResult result = Run();
  ASSERT_EQ(result.candidates.size(), 1u);
  EXPECT_FALSE(result.candidates[0].step_from_name);
}

TEST_F(Scan, LooksIntoTheNewestOnlyAndStillKnowsThatTheOthersAreThere) {
  for (int step = 1; step <= 5; ++step) Write("step" + std::to_string(step) + "/model.safetensors");
  const ScanResult result = Run(2);
  EXPECT_EQ(result.candidates.size(), 2u);
  EXPECT_EQ(result.candidates[0].step, 4);
  EXPECT_EQ(result.present.size(), 5u);
}

TEST_F(Scan, SeesEveryChangeOfAFileInTheFingerprint) {
  Write("step1/model.safetensors", "one");
  const std::string before = Run().candidates[0].fingerprint;
  EXPECT_EQ(Run().candidates[0].fingerprint, before);
  Write("step1/model.safetensors", "two!");
  const std::string after = Run().candidates[0].fingerprint;
  EXPECT_NE(after, before);
  Write("step1/trainer_state.json");
  EXPECT_NE(Run().candidates[0].fingerprint, after);
}

TEST_F(Scan, DoesNotFollowALinkOutOfTheRun) {
  char other[] = "/tmp/couplingd-other-XXXXXX";
  const std::string outside = ::mkdtemp(other);
  std::ofstream(outside + "/model.safetensors") << "x";
  ASSERT_EQ(::symlink(outside.c_str(), JoinPath(root_, "step7").c_str()), 0);
  EXPECT_TRUE(Run().candidates.empty());
  EXPECT_EQ(ScanRun({root_, true, 0, {}})->candidates.size(), 1u);
  std::filesystem::remove_all(outside);
}

TEST_F(Scan, OfADirectoryThatIsNotThereIsAnError) {
  EXPECT_EQ(ScanRun({root_ + "/none", false, 0, {}}).error().kind, ErrorKind::kNotFound);
}

TEST_F(Scan, WritesNothing) {
  Write("step1/model.safetensors");
  const auto before = std::filesystem::last_write_time(JoinPath(root_, "step1"));
  Run();
  EXPECT_EQ(std::filesystem::last_write_time(JoinPath(root_, "step1")), before);
}

}  // namespace
}  // namespace couplingd
