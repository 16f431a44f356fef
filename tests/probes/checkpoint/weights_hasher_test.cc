#include "probes/checkpoint/weights_hasher.h"

#include <gtest/gtest.h>

#include "probes/checkpoint/hf_directory.h"
#include "test_files.h"

namespace couplingd {
namespace {

std::string HashOf(const std::string& directory) {
  const auto opened = OpenHfDirectory(directory);
  EXPECT_TRUE(opened) << opened.error().Text();
  return WeightsHasher().Finish(*opened->source).value();
}

std::string HashOfHeader(const std::string& header) {
  const TemporaryDirectory directory;
  WriteText(directory / "model.safetensors", SafetensorsBytes(header, "12345678"));
  return HashOf(directory.path());
}

TEST(WeightsHash, DoesNotDependOnSharding) {
  EXPECT_EQ(HashOf(DataPath("directories/llama_single")),
            HashOf(DataPath("directories/llama_sharded")));
}

TEST(WeightsHash, IsTheSameWhetherTheLoaderFeedsItOrNot) {
  const auto opened = OpenHfDirectory(DataPath("directories/llama_sharded"));
  WeightsHasher hasher;
  for (std::size_t i = opened->source->tensors().size(); i > 3; --i) {
    const TensorInfo& tensor = opened->source->tensors()[i - 1];
    std::vector<char> bytes(tensor.bytes);
    ASSERT_TRUE(opened->source->Read(tensor, bytes.data()));
    hasher.Add(tensor, bytes.data());
  }
  EXPECT_EQ(hasher.Finish(*opened->source).value(), HashOf(DataPath("directories/llama_single")));
}

TEST(WeightsHash, SeesNameDtypeShapeAndBytes) {
  const std::string base =
      HashOfHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})");
  EXPECT_EQ(
      base,
      HashOfHeader(
          R"({"__metadata__":{"x":"y"},"a":{"shape":[2],"dtype":"F32","data_offsets":[0,8]}})"));
  EXPECT_NE(base, HashOfHeader(R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"));
  EXPECT_NE(base, HashOfHeader(R"({"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})"));
  EXPECT_NE(base, HashOfHeader(R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})"));
  const TemporaryDirectory directory;
  WriteText(
      directory / "model.safetensors",
      SafetensorsBytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "12345679"));
  EXPECT_NE(base, HashOf(directory.path()));
}

}  // namespace
}  // namespace couplingd
