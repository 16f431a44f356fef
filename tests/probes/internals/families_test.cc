// Hooks see and steer every family alike: with windows, ALiBi, capped scores, experts and the rest.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "probes/internals/states.h"
#include "probes/internals/steering.h"
#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

class EveryModel : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Internals, EveryModel, testing::ValuesIn(FixtureNames()),
                         [](const auto& info) { return info.param; });

// Prompts that share a stem of 20 tokens, longer than the fixtures' windows.
std::vector<std::vector<TokenId>> Prompts(const std::vector<TokenId>& tokens) {
  std::vector<std::vector<TokenId>> prompts;
  for (const int length : {20, 24, 28}) {
    prompts.emplace_back(tokens.begin(), tokens.begin() + length);
    prompts.back().push_back(tokens[static_cast<std::size_t>(length) - 9]);
  }
  return prompts;
}

void ExpectNear(const StateMatrix& together, Eigen::Index row, const StateMatrix& alone,
                const std::string& what) {
  ASSERT_EQ(together.cols(), alone.cols()) << what;
  const float difference = (together.row(row) - alone.row(0)).cwiseAbs().maxCoeff();
  EXPECT_LT(difference, 1e-4) << what << ", prompt " << row;
}

TEST_P(EveryModel, StatesOfPromptsThatShareAStemAreThoseOfEachAlone) {
  const LoadedDecoder loaded = LoadFixture(GetParam());
  const auto prompts = Prompts(ReadExpected(GetParam()).tokens);
  const PromptStates together =
      CollectStates(*loaded.decoder, {}, prompts, {.token_budget = 26}).value();
  for (std::size_t prompt = 0; prompt < prompts.size(); ++prompt) {
    const auto row = static_cast<Eigen::Index>(prompt);
    const PromptStates alone =
        CollectStates(*loaded.decoder, {}, std::span(prompts).subspan(prompt, 1), {}).value();
    for (std::size_t layer = 0; layer < alone.residual.size(); ++layer) {
      ExpectNear(together.residual[layer], row, alone.residual[layer],
                 "behind layer " + std::to_string(layer));
    }
    for (std::size_t layer = 0; layer < alone.heads.size(); ++layer) {
      ExpectNear(together.heads[layer], row, alone.heads[layer],
                 "heads of layer " + std::to_string(layer + 1));
    }
    ExpectNear(together.output, row, alone.output, "output");
  }
}

// The output that the hook sees leads to the logits that the decoder gives.
TEST_P(EveryModel, TheOutputLeadsToTheLogits) {
  class Taker : public ForwardHook {
   public:
    void OnOutput(const at::Tensor& normalised, const at::Tensor& head) override {
      logits = normalised.matmul(head.t());
    }
    at::Tensor logits;
  } taker;
  const LoadedDecoder loaded = LoadFixture(GetParam());
  const ModelConfig& config = loaded.decoder->config();
  const ExpectedLogits expected = ReadExpected(GetParam());
  loaded.decoder->Attach(&taker);
  const auto logits = loaded.decoder->Logits(expected.tokens).value();
  loaded.decoder->Attach(nullptr);
  ASSERT_EQ(static_cast<std::size_t>(taker.logits.numel()), logits.size());
  const at::Tensor flat = taker.logits.contiguous();
  const float* seen = flat.const_data_ptr<float>();
  const auto width = static_cast<std::size_t>(config.vocab_size);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double cap = config.logit_softcap;
    if (config.head_bias) {  // the same for every row
      EXPECT_NEAR(logits[i] - seen[i], logits[i % width] - seen[i % width], 1e-4);
    } else {
      EXPECT_NEAR(logits[i], cap > 0 ? cap * std::tanh(seen[i] / cap) : seen[i], 1e-4);
    }
  }
}

TEST_P(EveryModel, SteeringActsOnAGrowingTextAsOnTheWhole) {
  const LoadedDecoder loaded = LoadFixture(GetParam());
  const std::vector<TokenId> tokens = ReadExpected(GetParam()).tokens;
  const auto width = static_cast<Eigen::Index>(loaded.decoder->config().hidden_size);
  const auto hook = MakeSteeringHook({}, 1, RandomDirection(width, 7) * 2.0f);
  const auto plain = loaded.decoder->NextLogits(tokens, 0).value();
  loaded.decoder->Attach(hook.get());
  const auto whole = loaded.decoder->NextLogits(tokens, 0).value();
  for (const std::size_t length : {std::size_t{20}, std::size_t{25}}) {
    const auto text = std::span(tokens).first(length);
    ASSERT_TRUE(loaded.decoder->NextLogits(text, length == 20 ? 0 : 20));
  }
  const auto grown = loaded.decoder->NextLogits(tokens, 25).value();
  loaded.decoder->Attach(nullptr);
  EXPECT_LT(LargestDifference(grown, whole), 1e-4);
  EXPECT_GT(LargestDifference(plain, whole), 1e-3);
}

}  // namespace
}  // namespace couplingd
