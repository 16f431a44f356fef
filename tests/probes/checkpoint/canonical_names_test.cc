#include "probes/checkpoint/naming/canonical_names.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace couplingd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Tensors whose elements count from `first`.
class CountingSource final : public TensorSource {
 public:
  void Add(std::string name, std::vector<std::int64_t> shape, float first = 0) {
    TensorInfo info{.name = std::move(name), .shape = std::move(shape), .file = "memory"};
    std::int64_t elements = 1;
    for (const std::int64_t size : info.shape) elements *= size;
    info.bytes = static_cast<std::uint64_t>(elements) * sizeof(float);
    firsts_[info.name] = first;
    tensors_.push_back(std::move(info));
    std::ranges::sort(tensors_, {}, &TensorInfo::name);
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  Status ReadPart(const TensorInfo& tensor, std::uint64_t begin, std::uint64_t size,
                  void* into) const override {
    std::vector<float> values(tensor.bytes / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = firsts_.at(tensor.name) + static_cast<float>(i);
    }
    std::memcpy(into, reinterpret_cast<const char*>(values.data()) + begin, size);
    return {};
  }
  Status CheckUnchanged() const override { return {}; }

 private:
  std::vector<TensorInfo> tensors_;
  std::map<std::string, float> firsts_;
};

// Heads of one element, two of them; hidden size 2.
ModelDimensions DimensionsOf(const char* model_type) {
  return {.model_type = model_type,
          .layers = 1,
          .heads = 2,
          .kv_heads = 2,
          .head_dim = 1,
          .intermediate_size = 3,
          .vocab_size = 3};
}

struct Renamed {
  Result<CheckpointWeights> weights;

  std::vector<float> Read(std::string_view name) const {
    const TensorInfo* tensor = weights->source->Find(name);
    if (!tensor) return {};
    std::vector<float> values(tensor->bytes / sizeof(float));
    EXPECT_TRUE(weights->source->Read(*tensor, values.data()));
    return values;
  }
  std::vector<std::int64_t> Shape(std::string_view name) const {
    const TensorInfo* tensor = weights->source->Find(name);
    return tensor ? tensor->shape : std::vector<std::int64_t>{};
  }
};

Renamed Rename(std::unique_ptr<CountingSource> source, Naming naming, const char* model_type) {
  CheckpointWeights weights;
  weights.source = std::move(source);
  weights.naming = naming;
  Renamed renamed{WithCanonicalNames(std::move(weights), DimensionsOf(model_type))};
  EXPECT_TRUE(renamed.weights) << renamed.weights.error().Text();
  return renamed;
}

// Rows in Megatron's order: query, key, value of head 0, then of head 1.
TEST(CanonicalNames, TurnMegatronsGroupsIntoTheColumnsOfGpt2) {
  auto source = std::make_unique<CountingSource>();
  source->Add("decoder.layers.0.self_attention.linear_qkv.weight", {6, 2});
  source->Add("decoder.layers.0.self_attention.linear_qkv.bias", {6}, 100);
  source->Add("decoder.layers.0.mlp.linear_fc1.weight", {3, 2}, 20);
  source->Add("embedding.position_embeddings.weight", {4, 2}, 50);
  source->Add("embedding.word_embeddings.weight", {4, 2});
  const Renamed renamed = Rename(std::move(source), Naming::kMegatron, "gpt2");
  EXPECT_THAT(renamed.Shape("transformer.h.0.attn.c_attn.weight"), ElementsAre(2, 6));
  EXPECT_THAT(renamed.Read("transformer.h.0.attn.c_attn.weight"),
              ElementsAre(0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11));
  EXPECT_THAT(renamed.Read("transformer.h.0.attn.c_attn.bias"),
              ElementsAre(100, 103, 101, 104, 102, 105));
  EXPECT_THAT(renamed.Shape("transformer.h.0.mlp.c_fc.weight"), ElementsAre(2, 3));
  EXPECT_THAT(renamed.Read("transformer.h.0.mlp.c_fc.weight"), ElementsAre(20, 22, 24, 21, 23, 25));
  EXPECT_THAT(renamed.Shape("transformer.wpe.weight"), ElementsAre(4, 2));
  EXPECT_THAT(renamed.Shape("transformer.wte.weight"), ElementsAre(3, 2)) << "without padding";
}

TEST(CanonicalNames, LeaveMegatronsGroupsToGptNeoX) {
  auto source = std::make_unique<CountingSource>();
  source->Add("decoder.layers.0.self_attention.linear_qkv.bias", {6});
  source->Add("decoder.layers.0.mlp.linear_fc1.layer_norm_bias", {2});
  const Renamed renamed = Rename(std::move(source), Naming::kMegatron, "gpt_neox");
  EXPECT_THAT(renamed.Read("gpt_neox.layers.0.attention.query_key_value.bias"),
              ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(renamed.Read("gpt_neox.layers.0.post_attention_layernorm.bias"), ElementsAre(0, 1));
}

// Rows in litgpt's order: both queries, both keys, both values.
TEST(CanonicalNames, GatherLitgptsBlocksIntoTheHeadsOfGptNeoX) {
  auto source = std::make_unique<CountingSource>();
  source->Add("transformer.h.0.attn.qkv.weight", {6, 2});
  source->Add("transformer.h.0.attn.qkv.bias", {6});
  const Renamed renamed = Rename(std::move(source), Naming::kLitgpt, "gpt_neox");
  EXPECT_THAT(renamed.Read("gpt_neox.layers.0.attention.query_key_value.bias"),
              ElementsAre(0, 2, 4, 1, 3, 5));
  EXPECT_THAT(renamed.Read("gpt_neox.layers.0.attention.query_key_value.weight"),
              ElementsAre(0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11));
}

TEST(CanonicalNames, TakeTheExpertsOfTorchtitanApart) {
  auto source = std::make_unique<CountingSource>();
  source->Add("layers.0.moe.router.gate.weight", {2, 2});
  source->Add("layers.0.moe.routed_experts.inner_experts.w1_EFD", {2, 3, 2});
  source->Add("layers.0.moe.routed_experts.inner_experts.w2_EDF", {2, 2, 3}, 20);
  source->Add("layers.0.moe.tokens_per_expert_E", {2});
  const Renamed renamed = Rename(std::move(source), Naming::kTorchtitan, "qwen3_moe");
  EXPECT_THAT(renamed.Shape("model.layers.0.mlp.gate.weight"), ElementsAre(2, 2));
  EXPECT_THAT(renamed.Read("model.layers.0.mlp.experts.1.gate_proj.weight"),
              ElementsAre(6, 7, 8, 9, 10, 11));
  EXPECT_THAT(renamed.Shape("model.layers.0.mlp.experts.0.down_proj.weight"), ElementsAre(2, 3));
  EXPECT_EQ(renamed.weights->source->tensors().size(), 5u);
}

// In rank files one by one; in torch_dist all layers, and all experts of each, in one tensor.
TEST(CanonicalNames, TakeTheExpertsOfMegatronApartInBothItsForms) {
  auto one_by_one = std::make_unique<CountingSource>();
  one_by_one->Add("decoder.layers.0.mlp.experts.local_experts.1.linear_fc1.weight", {6, 2});
  const Renamed legacy = Rename(std::move(one_by_one), Naming::kMegatron, "qwen3_moe");
  EXPECT_THAT(legacy.Read("model.layers.0.mlp.experts.1.up_proj.weight"),
              ElementsAre(6, 7, 8, 9, 10, 11));
  auto together = std::make_unique<CountingSource>();
  together->Add("decoder.layers.mlp.experts.experts.linear_fc1.weight", {1, 2, 6, 2});
  together->Add("decoder.layers.mlp.router.weight", {1, 2, 2});
  const Renamed dist = Rename(std::move(together), Naming::kMegatron, "qwen3_moe");
  EXPECT_THAT(dist.Read("model.layers.0.mlp.experts.1.gate_proj.weight"),
              ElementsAre(12, 13, 14, 15, 16, 17));
  EXPECT_THAT(dist.Shape("model.layers.0.mlp.gate.weight"), ElementsAre(2, 2));
}

TEST(CanonicalNames, NameTheFamiliesThatAFrameworkIsMappedTo) {
  CheckpointWeights weights;
  weights.source = std::make_unique<CountingSource>();
  weights.naming = Naming::kLitgpt;
  const auto refused = WithCanonicalNames(std::move(weights), DimensionsOf("gpt2"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(refused.error().Text(), HasSubstr("gpt_neox"));
}

TEST(CanonicalNames, RefuseATensorOfAnotherRank) {
  auto source = std::make_unique<CountingSource>();
  source->Add("decoder.layers.0.mlp.linear_fc1.weight", {3});
  CheckpointWeights weights;
  weights.source = std::move(source);
  weights.naming = Naming::kMegatron;
  const auto refused = WithCanonicalNames(std::move(weights), DimensionsOf("gpt2"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(refused.error().message, HasSubstr("mlp.linear_fc1.weight"));
}

}  // namespace
}  // namespace couplingd
