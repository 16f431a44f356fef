// Checkpoints that training libraries wrote with their own code: bench/oracle/writers.py.
#include <gmock/gmock.h>

#include <filesystem>

#include "expect_tensors.h"
#include "probes/checkpoint/inspect.h"
#include "probes/checkpoint/naming/canonical_names.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "test_files.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

ModelDimensions DimensionsOf(const std::string& config_path) {
  const auto config = ParseJsonFile(config_path);
  EXPECT_TRUE(config) << config_path;
  return {.model_type = (*config)["model_type"].GetString(),
          .layers = (*config)["num_hidden_layers"].GetInt64(),
          .heads = (*config)["num_attention_heads"].GetInt64(),
          .kv_heads = (*config)["num_key_value_heads"].GetInt64(),
          .head_dim = (*config)["head_dim"].GetInt64(),
          .intermediate_size = (*config)["intermediate_size"].GetInt64(),
          .vocab_size = (*config)["vocab_size"].GetInt64()};
}

// Of a copy, so that every file has the time that it was copied at.
class WritersTest : public ::testing::TestWithParam<const char*> {
 protected:
  WritersTest() : folder_(directory_.Copy(std::string("writers/") + GetParam(), "run")) {
    const auto expected = ParseJsonFile(folder_ + "/expected.json");
    EXPECT_TRUE(expected) << expected.error().Text();
    path_ = folder_ + "/" + (*expected)["checkpoint"].GetString();
    SetTimes(folder_);
  }

  TemporaryDirectory directory_;
  std::string folder_, path_;
};

TEST_P(WritersTest, GivesTheWeightsStepAndTokensThatWereSaved) {
  const auto expected = ParseJsonFile(folder_ + "/expected.json");
  auto opened = OpenCheckpoint(path_);
  ASSERT_TRUE(opened) << opened.error().Text();
  const auto renamed =
      WithCanonicalNames(*std::move(opened), DimensionsOf(folder_ + "/config.json"));
  ASSERT_TRUE(renamed) << renamed.error().Text();
  ExpectTensors(*renamed->source, (*expected)["tensors"], GetParam());
  const auto inspected = Inspect(path_);
  ASSERT_TRUE(inspected) << inspected.error().Text();
  EXPECT_TRUE(inspected->ready()) << inspected->reason;
  EXPECT_EQ(inspected->step, (*expected)["step"].GetInt64());
  if (!(*expected)["tokens"].IsNull()) {
    EXPECT_EQ(inspected->tokens, (*expected)["tokens"].GetInt64()) << inspected->tokens_source;
  }
}

TEST_P(WritersTest, IsNeverReadyWhileAFileThatItNeedsIsShort) {
  const auto whole = Inspect(path_);
  ASSERT_TRUE(whole && whole->ready());
  const std::string parent =
      std::filesystem::is_directory(path_) ? path_ : path_.substr(0, path_.rfind('/'));
  for (const InspectedFile& file : whole->files) {
    const std::string path = parent + "/" + file.name;
    if (!std::filesystem::exists(path)) continue;
    const std::string content = ReadText(path);
    if (content.empty()) continue;
    for (const std::size_t size : {std::size_t{0}, content.size() / 2, content.size() - 1}) {
      WriteText(path, content.substr(0, size));
      SetTimes(folder_);
      const auto cut = Inspect(path_);
      if (file.name.ends_with(".yaml") || file.name.ends_with("config.json")) continue;
      EXPECT_FALSE(cut && cut->ready()) << file.name << " cut to " << size;
    }
    std::filesystem::remove(path);
    if (std::filesystem::exists(path_)) {
      const auto gone = Inspect(path_);
      EXPECT_FALSE(gone && gone->ready()) << file.name << " removed";
      EXPECT_EQ(gone ? gone->readiness : Readiness::kIncomplete, Readiness::kIncomplete)
          << file.name << " removed";
    }
    WriteText(path, content);
    SetTimes(folder_);
  }
  EXPECT_TRUE(Inspect(path_)->ready());
}

INSTANTIATE_TEST_SUITE_P(All, WritersTest,
                         ::testing::Values("torch_fsdp", "litgpt", "deepspeed_zero1",
                                           "deepspeed_zero3", "olmo_core", "megatron_legacy_tp2",
                                           "megatron_legacy_pp2", "composer", "megatron_dist_tp2",
                                           "nanotron_tp2", "torchtitan"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace couplingd
