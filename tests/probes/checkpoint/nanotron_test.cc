// Damage and variants of writers/nanotron_tp2: metadata are changed in place, byte for byte.
#include "probes/checkpoint/layouts/nanotron.h"

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>

#include "test_files.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

class Nanotron : public ::testing::Test {
 protected:
  Nanotron() : folder_(directory_.Copy("writers/nanotron_tp2", "run") + "/7") { SetTimes(folder_); }

  std::string HeadOfRank(int rank) const {
    return folder_ + "/model/model/lm_head/pp_block/model_weight_pp-rank-0-of-1_tp-rank-" +
           std::to_string(rank) + "-of-2.safetensors";
  }

  // Both texts have one length, so that the file stays a safetensors file.
  void Replace(const std::string& path, const std::string& from, const std::string& to) const {
    std::string content = ReadText(path);
    const std::size_t at = content.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    content.replace(at, from.size(), to);
    WriteText(path, content);
    SetTimes(folder_);
  }

  Error OpenError() const {
    const auto opened = OpenNanotron(folder_, {});
    return opened ? Error{.message = "opened"} : opened.error();
  }

  TemporaryDirectory directory_;
  std::string folder_;
};

TEST_F(Nanotron, RefusesPartsThatOverlap) {
  Replace(HeadOfRank(1), "10,20,None", "00,10,None");
  const Error error = OpenError();
  EXPECT_EQ(error.kind, ErrorKind::kInvalidData);
  EXPECT_THAT(error.message, HasSubstr("tp-rank-1-of-2.safetensors: its slices overlap"));
}

TEST_F(Nanotron, RefusesPartsOfAnotherWhole) {
  Replace(HeadOfRank(1), "(20, 16)", "(21, 16)");
  EXPECT_THAT(OpenError().message, HasSubstr("has another shape or type than the other parts"));
}

TEST_F(Nanotron, RefusesPartsThatDoNotMakeUpTheWhole) {
  for (int rank : {0, 1}) Replace(HeadOfRank(rank), "(20, 16)", "(30, 16)");
  EXPECT_EQ(OpenError().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(OpenError().message, HasSubstr("model.lm_head.pp_block.weight"));
}

TEST_F(Nanotron, RefusesSlicesWithAStep) {
  Replace(HeadOfRank(0), "0,10,None", "0,10,0002");
  EXPECT_EQ(OpenError().kind, ErrorKind::kUnsupported);
}

TEST_F(Nanotron, RefusesSlicesThatAreNone) {
  Replace(HeadOfRank(0), "0,10,None", "0,10;None");
  EXPECT_EQ(OpenError().kind, ErrorKind::kInvalidData);
}

TEST_F(Nanotron, RefusesExpertsByTheNameOfTheirFiles) {
  std::filesystem::rename(HeadOfRank(0), folder_ +
                                             "/model/model/lm_head/pp_block/model_weight_pp-"
                                             "rank-0-of-1_tp-rank-0-of-2_exp-rank-0-of-2."
                                             "safetensors");
  EXPECT_EQ(OpenError().kind, ErrorKind::kUnsupported);
}

TEST_F(Nanotron, WaitsForAPartThatIsMissing) {
  std::filesystem::remove(HeadOfRank(1));
  const Error error = OpenError();
  EXPECT_TRUE(error.retryable);
  EXPECT_THAT(error.message, HasSubstr("rank 1 of 2 of model.lm_head.pp_block.weight is missing"));
}

TEST_F(Nanotron, WaitsWhileItIsSavedOverAnOlderOne) {
  using namespace std::chrono_literals;
  const auto now = std::filesystem::last_write_time(folder_ + "/model_config.json");
  EXPECT_EQ(OpenError().message, "opened");
  std::filesystem::last_write_time(HeadOfRank(1), now + 1s);
  const Error error = OpenError();
  EXPECT_TRUE(error.retryable);
  EXPECT_THAT(error.message, HasSubstr("was written after model_config.json"));
}

TEST_F(Nanotron, KnowsReleasesThatTurnTheHalvesOfAHead) {
  EXPECT_EQ(OpenNanotron(folder_, {})->naming, Naming::kNanotron);
  Replace(folder_ + "/model_config.json", "{\"is_llama_config\": true,",
          "{\"rope_interleaved\":false,");
  EXPECT_EQ(OpenNanotron(folder_, {})->naming, Naming::kNanotronHalves);
}

}  // namespace
}  // namespace couplingd
