#include "probes/checkpoint/inspect.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "test_files.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

Inspection Look(const std::string& directory, const InspectOptions& options = {}) {
  const auto inspected = Inspect(directory, options);
  EXPECT_TRUE(inspected) << inspected.error().Text();
  return inspected ? *inspected : Inspection{};
}

std::string StateWith(const std::string& fields) {
  return "{\"global_step\": 4, \"log_history\": [{\"grad_norm\": NaN, \"step\": 1}]" + fields + "}";
}

class TrainerCheckpoint : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::string path_ = directory_.Copy("trainer/checkpoint-4", "checkpoint-4");
  std::string state_ = path_ + "/trainer_state.json";
};

// Written by the transformers Trainer, which counted 256 tokens itself:
// bench/oracle/safetensors_fixtures.py.
TEST_F(TrainerCheckpoint, OfARealTrainerIsReadyWithAllItsFacts) {
  const Inspection seen = Look(path_);
  EXPECT_TRUE(seen.ready()) << seen.reason;
  EXPECT_EQ(seen.layout, Layout::kTrainer);
  EXPECT_EQ(seen.step, 4);
  EXPECT_EQ(seen.tokens, 256);
  EXPECT_EQ(seen.tokens_source, "num_input_tokens_seen");
  EXPECT_EQ(seen.parameters, 5968);
  EXPECT_EQ(seen.dtype, "F32");
  EXPECT_EQ(seen.bytes, 5968u * 4);
  EXPECT_EQ(seen.model_type, "llama");
  EXPECT_EQ(seen.d_model, 16);
  EXPECT_EQ(seen.signature.size(), 32u);
  const auto json = ParseJson(ToJson(seen), "inspection");
  ASSERT_TRUE(json);
  EXPECT_STREQ((*json)["readiness"].GetString(), "ready");
  EXPECT_TRUE((*json)["cause"].IsNull());
  EXPECT_EQ((*json)["files"].Size(), 3u);
}

TEST_F(TrainerCheckpoint, GivesTheTokensThatItsOwnFlosImply) {
  std::string text = ReadText(state_);
  text.replace(text.rfind("\"num_input_tokens_seen\": 256"), 28, "\"num_input_tokens_seen\": 0  ");
  WriteText(state_, text);
  EXPECT_EQ(Look(path_).tokens, 256);
  EXPECT_EQ(Look(path_).tokens_source, "total_flos");
  WriteText(state_, StateWith(", \"total_flos\": 7593985.0"));
  EXPECT_EQ(Look(path_).tokens, std::nullopt);
}

TEST_F(TrainerCheckpoint, IsIncompleteUntilItsMarkerIsWhole) {
  const std::string whole = ReadText(state_);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 2}) {
    WriteText(state_, whole.substr(0, size));
    EXPECT_EQ(Look(path_).readiness, Readiness::kIncomplete) << size;
  }
  std::filesystem::remove(state_);
  EXPECT_EQ(Look(path_).readiness, Readiness::kIncomplete);
  EXPECT_THAT(Look(path_).reason, HasSubstr("no trainer_state.json yet"));
  EXPECT_TRUE(Look(path_, {.layout = Layout::kModel}).ready());
  WriteText(state_, StateWith(""));
  EXPECT_TRUE(Look(path_).ready()) << "NaN is what trainers write: " << Look(path_).reason;
}

TEST_F(TrainerCheckpoint, IsVetoedByTheIncompleteMarkAndByMissingWeights) {
  WriteText(path_ + "/checkpoint-is-incomplete.txt", "");
  EXPECT_EQ(Look(path_).readiness, Readiness::kIncomplete);
  std::filesystem::remove(path_ + "/checkpoint-is-incomplete.txt");
  std::filesystem::remove(path_ + "/model.safetensors");
  EXPECT_EQ(Look(path_).readiness, Readiness::kIncomplete);
  EXPECT_THAT(Look(path_).reason, HasSubstr("no model weights"));
  WriteText(path_ + "/pytorch_model.bin", "");
  EXPECT_EQ(Look(path_).readiness, Readiness::kIncomplete);
  std::filesystem::rename(path_ + "/pytorch_model.bin", path_ + "/flax_model.msgpack");
  EXPECT_EQ(Look(path_).readiness, Readiness::kRefused);
  EXPECT_EQ(Look(path_).cause, ErrorKind::kUnsupported);
}

TEST_F(TrainerCheckpoint, IsRefusedWhenItsMarkerIsOfAnotherStep) {
  std::filesystem::rename(path_, directory_ / "checkpoint-5");
  const Inspection seen = Look(directory_ / "checkpoint-5");
  EXPECT_EQ(seen.readiness, Readiness::kRefused);
  EXPECT_THAT(seen.reason, HasSubstr("says global_step 4, the directory is named for step 5"));
}

TEST_F(TrainerCheckpoint, HasANewSignatureWhenAFileIsRewritten) {
  const std::string before = Look(path_).signature;
  EXPECT_EQ(Look(path_).signature, before);
  WriteText(path_ + "/rng_state_1.pth", "late and irrelevant");
  EXPECT_EQ(Look(path_).signature, before);
  std::filesystem::copy_file(path_ + "/model.safetensors", path_ + "/copy");
  std::filesystem::rename(path_ + "/copy", path_ + "/model.safetensors");
  EXPECT_NE(Look(path_).signature, before);
}

TEST_F(TrainerCheckpoint, ThatAnotherUserMayNotReadIsRefusedWithWhatToDo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  const std::string weights = path_ + "/model.safetensors";
  ASSERT_EQ(::chmod(weights.c_str(), 0600), 0);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool became_other = ::setgid(65534) == 0 && ::setuid(65534) == 0;
    const auto seen = Inspect(path_);
    const bool refused = seen && seen->readiness == Readiness::kRefused &&
                         seen->cause == ErrorKind::kPermission && seen->hint.contains("0600") &&
                         seen->reason.contains("model.safetensors");
    ::_exit(became_other && refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Inspection, OfABareModelNeedsOnlyStructure) {
  const Inspection seen = Look(DataPath("directories/llama_sharded"));
  EXPECT_TRUE(seen.ready()) << seen.reason;
  EXPECT_EQ(seen.layout, Layout::kModel);
  EXPECT_EQ(seen.step, std::nullopt);
  EXPECT_EQ(seen.tokens, std::nullopt);
  EXPECT_EQ(seen.parameters, 5968);
}

TEST(Inspection, OfADirectoryOfAStepTakesTheStepFromItsName) {
  const TemporaryDirectory directory;
  const Inspection seen = Look(directory.Copy("directories/llama_sharded", "step-0070"));
  EXPECT_TRUE(seen.ready()) << seen.reason;
  EXPECT_EQ(seen.layout, Layout::kStep);
  EXPECT_EQ(seen.step, 70);
}

TEST(Inspection, CountsATiedOutputMatrixOnceAndBuffersNever) {
  const TemporaryDirectory directory;
  WriteText(directory / "model.safetensors",
            SafetensorsBytes(
                R"({"transformer.wte.weight":{"dtype":"U8","shape":[4,2],"data_offsets":[0,8]},)"
                R"("lm_head.weight":{"dtype":"U8","shape":[4,2],"data_offsets":[8,16]},)"
                R"("h.0.attn.bias":{"dtype":"U8","shape":[1,1,3,3],"data_offsets":[16,25]},)"
                R"("h.0.attn.c_attn.bias":{"dtype":"U8","shape":[5],"data_offsets":[25,30]}})",
                std::string(30, 'x')));
  WriteText(directory / "config.json", R"({"model_type": "gpt2", "n_embd": 2})");
  EXPECT_EQ(Look(directory.path()).parameters, 13);
  EXPECT_EQ(Look(directory.path()).d_model, 2);
  WriteText(directory / "config.json", R"({"model_type": "gpt2", "tie_word_embeddings": false})");
  EXPECT_EQ(Look(directory.path()).parameters, 21);
}

TEST(Inspection, RefusesDamageForGoodAndSaysWhere) {
  const TemporaryDirectory directory;
  const std::string model = directory.Copy("directories/llama_single", "model");
  WriteText(model + "/config.json", "{\"model_type\": ");
  EXPECT_EQ(Look(model).readiness, Readiness::kRefused);
  EXPECT_THAT(Look(model).reason, HasSubstr("config.json: line 1"));
  const Inspection overlap = Look(DataPath("bad/overlap"));
  EXPECT_EQ(overlap.readiness, Readiness::kRefused);
  EXPECT_EQ(overlap.cause, ErrorKind::kInvalidData);
  EXPECT_EQ(Look(DataPath("bad/data_cut")).readiness, Readiness::kIncomplete);
}

TEST(Inspection, FailsWhereTheDirectoryItselfCannotBeLookedAt) {
  EXPECT_EQ(Inspect("/no/such/directory").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Inspect(DataPath("llama.json")).error().kind, ErrorKind::kInvalidData);
  const TemporaryDirectory directory;
  std::filesystem::create_directory_symlink(DataPath("directories/llama_single"),
                                            directory / "checkpoint-1");
  const auto escaped = Inspect(directory / "checkpoint-1", {.read_roots = {directory.path()}});
  ASSERT_FALSE(escaped);
  EXPECT_EQ(escaped.error().kind, ErrorKind::kPermission);
}

}  // namespace
}  // namespace couplingd
