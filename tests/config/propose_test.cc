#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/config.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

class ProposeConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path full = root_ + "/" + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  void WriteCheckpoint(const std::string& path, int step, long tokens) {
    Write(path + "/model.safetensors", "");
    Write(path + "/config.json", R"({"model_type": "llama", "hidden_size": 64})");
    Write(path + "/trainer_state.json",
          "{\"global_step\": " + std::to_string(step) +
              ", \"best_metric\": NaN, \"num_input_tokens_seen\": " + std::to_string(tokens) + "}");
  }
  Config Propose(const std::string& directory) {
    const auto text = ProposeConfig(directory, "/var/lib/couplingd", {"/packs/arc.jsonl"});
    EXPECT_TRUE(text) << text.error().Text();
    text_ = text.value_or("");
    const auto config = ParseConfig(text_, "/etc/couplingd/couplingd.yaml");
    EXPECT_TRUE(config) << config.error().Text();
    return config.value_or(Config());
  }

  const std::string root_ =
      ::testing::TempDir() + "/propose-" + std::to_string(::getpid()) + "/web";
  std::string text_;
};

TEST_F(ProposeConfigTest, WatchesOneRunWithItsTokensPerStep) {
  WriteCheckpoint("checkpoint-100", 100, 204800);
  WriteCheckpoint("checkpoint-900", 900, 1843200);
  std::filesystem::create_directories(root_ + "/tmp-checkpoint-1000");
  const Config config = Propose(root_);
  ASSERT_EQ(config.runs.size(), 1u);
  EXPECT_EQ(config.runs[0].name, "web");
  EXPECT_EQ(config.runs[0].tokens_per_step, 2048);
  EXPECT_EQ(config.runs[0].d_model, 64);
  EXPECT_EQ(config.packs[0], "/packs/arc.jsonl");
  EXPECT_THAT(text_, HasSubstr("# 2 checkpoints, steps 100 to 900, model type llama"));
}

TEST_F(ProposeConfigTest, WatchesEveryRunBelow) {
  WriteCheckpoint("d8/step100", 100, 0);
  WriteCheckpoint("d16/step100", 100, 0);
  Write("logs/out.txt", "");
  const Config config = Propose(root_);
  ASSERT_EQ(config.runs.size(), 2u);
  EXPECT_EQ(config.runs[0].name, "web-d16");
  EXPECT_EQ(config.runs[1].family, "web");
  EXPECT_FALSE(config.runs[0].tokens_per_step);
  EXPECT_THAT(text_, HasSubstr("include_num_input_tokens_seen"));
}

TEST_F(ProposeConfigTest, GivesNoRateWhereTheCountsDisagree) {
  WriteCheckpoint("checkpoint-100", 100, 100000);
  WriteCheckpoint("checkpoint-200", 200, 900000);
  EXPECT_FALSE(Propose(root_).runs[0].tokens_per_step);
  EXPECT_THAT(text_, HasSubstr("1k tokens per step at the first checkpoint and 4.5k at the last"));
}

TEST_F(ProposeConfigTest, WatchesABareModelAndAnEmptyDirectory) {
  WriteCheckpoint(".", 1, 0);
  Propose(root_);
  EXPECT_THAT(text_, HasSubstr("a model without steps"));
  SetUp();
  EXPECT_EQ(Propose(root_).runs.size(), 1u);
  EXPECT_THAT(text_, HasSubstr("no checkpoint yet"));
}

TEST_F(ProposeConfigTest, KeepsHostileNamesInTheirPlace) {
  WriteCheckpoint("x: {y}\nsinks: [z] #/step1", 1, 0);
  const auto text = ProposeConfig(root_, "/var/lib/couplingd");
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().message, HasSubstr("control character"));
}

TEST_F(ProposeConfigTest, NamesADirectoryThatIsNotThere) {
  const auto text = ProposeConfig(root_ + "/absent", "/var/lib/couplingd");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace couplingd
