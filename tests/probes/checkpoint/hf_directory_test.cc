#include "probes/checkpoint/hf_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cmath>

#include "base/json.h"
#include "test_files.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

Error ErrorOf(const std::string& fixture) {
  const auto opened = OpenHfDirectory(DataPath("directories/" + fixture));
  return opened ? Error{ErrorKind::kInternal, "opened"} : opened.error();
}

double SumOf(const TensorSource& source, const TensorInfo& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.Elements()));
  EXPECT_TRUE(source.Read(tensor, values.data()));
  double sum = 0;
  for (const float value : values) sum += value;
  return sum;
}

void SetMtime(const std::string& path, std::time_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

// llama.json holds shapes and sums of the tensors as transformers had them in memory.
TEST(HfDirectory, ReadsWhatTransformersWroteSingleAndSharded) {
  const auto facts = ParseJsonFile(DataPath("llama.json"));
  ASSERT_TRUE(facts);
  const JsonValue& tensors = (*facts)["tensors"];
  for (const char* name : {"llama_single", "llama_sharded"}) {
    const auto opened = OpenHfDirectory(DataPath(std::string("directories/") + name));
    ASSERT_TRUE(opened) << opened.error().Text();
    ASSERT_EQ(opened->source->tensors().size(), tensors.MemberCount());
    for (const auto& fact : tensors.GetObject()) {
      const TensorInfo* tensor = opened->source->Find(fact.name.GetString());
      ASSERT_NE(tensor, nullptr) << fact.name.GetString();
      EXPECT_EQ(tensor->dtype, DType::kF32);
      ASSERT_EQ(tensor->shape.size(), fact.value["shape"].Size());
      EXPECT_NEAR(SumOf(*opened->source, *tensor), fact.value["sum"].GetDouble(), 1e-4)
          << tensor->name;
    }
    EXPECT_EQ(opened->source->Find("nothing"), nullptr);
    EXPECT_TRUE(opened->source->CheckUnchanged());
  }
}

TEST(HfDirectory, SaysWhatMayStillComeAndWhatWillNot) {
  const std::vector<std::pair<std::string, std::string>> may_come = {
      {"shard_missing", "names the shard two.safetensors, which is not there"},
      {"shard_truncated", "two.safetensors is truncated"},
      {"index_truncated", "model.safetensors.index.json"},
      {"pytorch_bin_sharded", "neither pytorch_model.bin nor pytorch_model.bin.index.json"},
      {"shards_without_index", "neither model.safetensors nor model.safetensors.index.json"},
  };
  for (const auto& [fixture, cause] : may_come) {
    EXPECT_THAT(ErrorOf(fixture).message, HasSubstr(cause));
    EXPECT_TRUE(ErrorOf(fixture).retryable) << fixture;
  }
  const std::vector<std::pair<std::string, std::string>> will_not = {
      {"shard_outside", "\"b\" is placed in \"../escape.safetensors\", which is not a plain"},
      {"shard_absolute", "\"a\" is placed in \"/etc/model.safetensors\""},
      {"shard_lacks_tensor", "one.safetensors lacks tensor \"b\""},
      {"shard_not_text", "weight_map.\"a\" must be a string"},
      {"weight_map_empty", "weight_map is empty"},
      {"index_without_map", "\"weight_map\" must be an object"},
  };
  for (const auto& [fixture, cause] : will_not) {
    EXPECT_THAT(ErrorOf(fixture).message, HasSubstr(cause));
    EXPECT_FALSE(ErrorOf(fixture).retryable) << fixture;
    EXPECT_EQ(ErrorOf(fixture).kind, ErrorKind::kInvalidData) << fixture;
  }
}

TEST(HfDirectory, RefusesOtherFormatsByName) {
  const std::vector<std::pair<std::string, std::string>> formats = {
      {"adapter_only", "adapter-only"},
      {"orbax", "JAX"},
      {"flax", "JAX"},
  };
  for (const auto& [fixture, format] : formats) {
    EXPECT_EQ(ErrorOf(fixture).kind, ErrorKind::kUnsupported) << fixture;
    EXPECT_THAT(ErrorOf(fixture).message, HasSubstr(format));
    EXPECT_FALSE(ErrorOf(fixture).retryable) << fixture;
  }
}

TEST(HfDirectory, PrefersTheCompleteAndThenTheNewestOfSingleAndSharded) {
  const TemporaryDirectory directory;
  const std::string model = directory.Copy("directories/llama_sharded", "m");
  const std::string single = model + "/model.safetensors";
  const auto file_of_first = [&] {
    const auto opened = OpenHfDirectory(model);
    return opened ? BaseName(opened->source->tensors()[0].file) : opened.error().Text();
  };
  WriteText(single,
            SafetensorsBytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "1"));
  SetMtime(single, 2'000'000'000);
  EXPECT_THAT(file_of_first(), HasSubstr("of-00002"));
  WriteText(single,
            SafetensorsBytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "12"));
  SetMtime(single, 2'000'000'000);
  EXPECT_EQ(file_of_first(), "model.safetensors");
  SetMtime(single, 1'000'000'000);
  EXPECT_THAT(file_of_first(), HasSubstr("of-00002"));
  std::filesystem::remove(model + "/model-00002-of-00002.safetensors");
  EXPECT_EQ(file_of_first(), "model.safetensors");
}

TEST(HfDirectory, ReadsOnAfterDeletionAndReportsItAsVanished) {
  const TemporaryDirectory directory;
  const std::string model = directory.Copy("directories/llama_single", "m");
  const auto opened = OpenHfDirectory(model);
  ASSERT_TRUE(opened);
  std::filesystem::remove_all(model);
  const TensorInfo& tensor = opened->source->tensors()[0];
  EXPECT_TRUE(std::isfinite(SumOf(*opened->source, tensor)));
  const Status unchanged = opened->source->CheckUnchanged();
  ASSERT_FALSE(unchanged);
  EXPECT_EQ(unchanged.error().kind, ErrorKind::kVanished);
  EXPECT_TRUE(unchanged.error().retryable);
}

TEST(HfDirectory, ReportsARewriteWhileReadingAsVanished) {
  const TemporaryDirectory directory;
  const std::string model = directory.Copy("directories/llama_single", "m");
  const std::string path = model + "/model.safetensors";
  const auto touched = OpenHfDirectory(model);
  SetMtime(path, 1'000'000'000);
  EXPECT_THAT(touched->source->CheckUnchanged().error().message,
              HasSubstr("changed during evaluation"));
  const auto replaced = OpenHfDirectory(model);
  std::filesystem::copy_file(path, model + "/other");
  SetMtime(model + "/other", 1'000'000'000);
  std::filesystem::rename(model + "/other", path);
  EXPECT_THAT(replaced->source->CheckUnchanged().error().message,
              HasSubstr("another file took its place"));
  const auto shortened = OpenHfDirectory(model);
  std::filesystem::resize_file(path, 4000);
  std::vector<char> bytes(1 << 16);
  const Status read = shortened->source->Read(shortened->source->tensors().back(), bytes.data());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kVanished);
}

TEST(HfDirectory, FollowsLinksOnlyIntoAllowedRoots) {
  const TemporaryDirectory directory;
  const std::string blobs = directory.Copy("directories/llama_single", "blobs");
  std::filesystem::create_directory(directory / "snapshot");
  std::filesystem::create_symlink(blobs + "/model.safetensors",
                                  directory / "snapshot/model.safetensors");
  const auto refused = OpenHfDirectory(directory / "snapshot");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
  EXPECT_TRUE(OpenHfDirectory(directory / "snapshot", {.read_roots = {blobs}}));
}

}  // namespace
}  // namespace couplingd
