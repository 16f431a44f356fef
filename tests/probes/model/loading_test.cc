#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <future>
#include <limits>
#include <map>
#include <mutex>

#include "probes/checkpoint/hf_directory.h"
#include "probes/checkpoint/weights_hasher.h"
#include "probes/device/factory.h"
#include "probes/model/decoder.h"
#include "probes/model/guarded.h"
#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

// A copy of a fixture's tensors in memory, to be damaged.
class MemorySource : public TensorSource {
 public:
  explicit MemorySource(const std::string& fixture) {
    const CheckpointWeights weights = OpenHfDirectory(FixtureDirectory(fixture)).value();
    for (const TensorInfo& tensor : weights.source->tensors()) {
      std::string bytes(tensor.bytes, '\0');
      weights.source->Read(tensor, bytes.data()).value();
      Add(tensor, std::move(bytes));
    }
  }

  void Add(TensorInfo info, std::string bytes) {
    info.bytes = bytes.size();
    bytes_[info.name] = std::move(bytes);
    tensors_.push_back(std::move(info));
  }
  void Remove(const std::string& name) {
    std::erase_if(tensors_, [&](const TensorInfo& tensor) { return tensor.name == name; });
  }
  TensorInfo& Info(const std::string& name) {
    return *std::ranges::find(tensors_, name, &TensorInfo::name);
  }
  void SetFirst(const std::string& name, float value) {
    std::memcpy(bytes_.at(name).data(), &value, sizeof(value));
  }

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  Status ReadPart(const TensorInfo& tensor, std::uint64_t begin, std::uint64_t size,
                  void* into) const override {
    if (before_read_) before_read_(tensor);
    const std::lock_guard lock(mutex_);
    ++reads_[tensor.name];
    std::memcpy(into, bytes_.at(tensor.name).data() + begin, size);
    return {};
  }
  Status CheckUnchanged() const override { return {}; }
  const std::map<std::string, int>& reads() const { return reads_; }
  void BeforeRead(std::function<void(const TensorInfo&)> call) { before_read_ = std::move(call); }

 private:
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> bytes_;
  std::function<void(const TensorInfo&)> before_read_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, int> reads_;
};

ModelConfig ConfigOf(const std::string& fixture) {
  return LoadModelConfig(FixtureDirectory(fixture) + "/config.json").value();
}

Error LoadError(const MemorySource& source, const std::string& fixture,
                const DecoderOptions& options = {}) {
  const auto loaded = LoadDecoder(source, ConfigOf(fixture), {}, options);
  return loaded ? Error{.message = "loaded"} : loaded.error();
}

TEST(Guarded, KnowsWhenLibtorchRanOutOfMemory) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  const Status status = Guarded("it", [&]() -> Status {
    (void)factory.Empty({std::int64_t{1} << 50});
    return {};
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kExhausted);
  EXPECT_THAT(status.error().message, HasSubstr("it ran out of memory"));
}

TEST(Loading, ReadsEveryTensorOnceAndHashesItAsStored) {
  const MemorySource source("gpt_neox_parallel");
  const auto loaded = LoadDecoder(source, ConfigOf("gpt_neox_parallel"), {});
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_EQ(source.reads().size(), source.tensors().size());
  for (const auto& [name, count] : source.reads()) EXPECT_EQ(count, 1) << name;
  WeightsHasher hasher;
  EXPECT_EQ(loaded->report.weights_hash, hasher.Finish(source).value());
}

TEST(Loading, NamesMissingTensors) {
  MemorySource source("llama_gqa");
  source.Remove("model.layers.1.self_attn.k_proj.weight");
  const Error error = LoadError(source, "llama_gqa");
  EXPECT_EQ(error.kind, ErrorKind::kInvalidData);
  EXPECT_THAT(error.message, HasSubstr("lacks model.layers.1.self_attn.k_proj.weight"));
}

TEST(Loading, NamesTensorsOfTheWrongShape) {
  MemorySource source("llama_gqa");
  TensorInfo& info = source.Info("model.layers.0.mlp.up_proj.weight");
  std::swap(info.shape[0], info.shape[1]);
  const Error error = LoadError(source, "llama_gqa");
  EXPECT_EQ(error.kind, ErrorKind::kInvalidData);
  EXPECT_THAT(error.message,
              HasSubstr("model.layers.0.mlp.up_proj.weight is [16, 28] and not [28, 16]"));
}

TEST(Loading, RefusesTensorsThatTheFamilyHasNoPlaceFor) {
  MemorySource source("llama_gqa");
  source.Add({.name = "model.layers.0.self_attn.q_norm.weight", .shape = {4}},
             std::string(16, '\0'));
  const Error error = LoadError(source, "llama_gqa");
  EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("model.layers.0.self_attn.q_norm.weight"));
}

TEST(Loading, IgnoresSavedBuffers) {
  MemorySource source("gpt2_plain");
  source.Add({.name = "transformer.h.0.attn.bias", .dtype = DType::kU8, .shape = {1, 1, 2, 2}},
             std::string(4, '\1'));
  EXPECT_EQ(LoadError(source, "gpt2_plain").message, "loaded");
}

TEST(Loading, RefusesNanAndInfinityByTheTensorsName) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    MemorySource source("gpt2_plain");
    source.SetFirst("transformer.h.1.mlp.c_fc.weight", bad);
    const Error error = LoadError(source, "gpt2_plain");
    EXPECT_EQ(error.kind, ErrorKind::kInvalidData);
    EXPECT_THAT(error.message,
                HasSubstr("\"transformer.h.1.mlp.c_fc.weight\" holds NaN or infinity"));
  }
}

TEST(Loading, RefusesIntegerWeights) {
  MemorySource source("gpt2_plain");
  source.Info("transformer.wte.weight").dtype = DType::kI32;
  const Error error = LoadError(source, "gpt2_plain");
  EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("\"transformer.wte.weight\" holds I32"));
}

// Says when the first layer has been run.
class FirstLayerWatch : public ForwardHook {
 public:
  void OnResidual(std::int64_t layer, at::Tensor&) override {
    if (layer == 1) done_.set_value();
  }
  std::shared_future<void> done() { return done_.get_future().share(); }

 private:
  std::promise<void> done_;
};

TEST(Loading, LetsTheFirstLayerRunWhileTheLastIsRead) {
  MemorySource source("llama_gqa");
  FirstLayerWatch watch;
  const std::shared_future<void> first_done = watch.done();
  source.BeforeRead([&](const TensorInfo& tensor) {
    if (tensor.name.starts_with("model.layers.1.")) first_done.wait();
  });
  const auto decoder = StartDecoder(source, ConfigOf("llama_gqa"), {}).value();
  decoder->Attach(&watch);
  const ExpectedLogits expected = ReadExpected("llama_gqa");
  EXPECT_LT(LargestDifference(decoder->Logits(expected.tokens).value(), expected.logits), 5e-5);
  EXPECT_EQ(decoder->FinishLoading().value().weights_hash,
            LoadDecoder(MemorySource("llama_gqa"), ConfigOf("llama_gqa"), {})
                .value()
                .report.weights_hash);
}

TEST(Loading, StopsTheForwardPassThatNeedsABadLayer) {
  MemorySource source("llama_gqa");
  source.SetFirst("model.layers.1.mlp.down_proj.weight", std::numeric_limits<float>::quiet_NaN());
  const auto decoder = StartDecoder(source, ConfigOf("llama_gqa"), {}).value();
  const auto logits = decoder->Logits(std::vector<TokenId>{1, 2, 3});
  ASSERT_FALSE(logits);
  EXPECT_EQ(logits.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(logits.error().message, HasSubstr("model.layers.1.mlp.down_proj.weight"));
  EXPECT_EQ(decoder->FinishLoading().error().message, logits.error().message);
}

TEST(Loading, PrefersTheTieFlagOverAHeadThatDiffersAndSaysSo) {
  MemorySource source("llama_tied_mha");
  const TensorInfo embedding = source.Info("model.embed_tokens.weight");
  source.Add({.name = "lm_head.weight", .dtype = embedding.dtype, .shape = embedding.shape},
             std::string(embedding.bytes, '\0'));
  const auto loaded = LoadDecoder(source, ConfigOf("llama_tied_mha"), {});
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_THAT(loaded->report.notes, testing::ElementsAre(HasSubstr("lm_head.weight differs")));
  const ExpectedLogits expected = ReadExpected("llama_tied_mha");
  EXPECT_LT(LargestDifference(loaded->decoder->Logits(expected.tokens).value(), expected.logits),
            2e-5);
}

TEST(Loading, StripsTheWrappersOfTrainers) {
  MemorySource source("llama_gqa");
  MemorySource wrapped("llama_gqa");
  for (const TensorInfo& tensor : source.tensors()) {
    std::string bytes(tensor.bytes, '\0');
    source.Read(tensor, bytes.data()).value();
    wrapped.Remove(tensor.name);
    TensorInfo renamed = tensor;
    renamed.name = "module._orig_mod." + tensor.name;
    wrapped.Add(renamed, std::move(bytes));
  }
  EXPECT_EQ(LoadError(wrapped, "llama_gqa").message, "loaded");
}

TEST(Loading, RefusesTwoSpellingsOfOneTensor) {
  MemorySource source("gpt2_plain");
  const TensorInfo bias = source.Info("transformer.ln_f.bias");
  source.Add({.name = "ln_f.beta", .dtype = bias.dtype, .shape = bias.shape},
             std::string(bias.bytes, '\0'));
  EXPECT_THAT(LoadError(source, "gpt2_plain").message, HasSubstr("two spellings of one name"));
}

TEST(Loading, LeavesLogitsThatOverflowToBeReportedByTheForwardPass) {
  MemorySource source("llama_gqa");
  source.SetFirst("model.norm.weight", 3e38f);
  const auto loaded = LoadDecoder(source, ConfigOf("llama_gqa"), {});
  ASSERT_TRUE(loaded) << loaded.error().Text();
  ForwardPlan plan;
  plan.tokens = {1, 2, 3, 4};
  plan.segments = {{0, 4, -1, 0, 0}};
  plan.packs = {{0, 1, 0, 4, 0, 4}};
  plan.reads = {{0, 5}, {1, 5}, {2, 5}, {3, 5}};
  std::vector<TokenScore> scores(4);
  const Status status = loaded->decoder->Run(plan, 0, scores);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(status.error().message, HasSubstr("logits are NaN or infinite"));
}

TEST(Loading, ObeysTheMemoryLimit) {
  const MemorySource source("gpt2_plain");
  const Error error = LoadError(source, "gpt2_plain", {.memory_limit_bytes = 1000});
  EXPECT_EQ(error.kind, ErrorKind::kExhausted);
  EXPECT_THAT(error.message, HasSubstr("memory limit"));
}

}  // namespace
}  // namespace couplingd
