#include "probes/internals/internals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "probes/internals/reinitialised_source.h"
#include "tests/probes/internals/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

class EveryFamily : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Internals, EveryFamily, testing::Values("llama", "gpt2", "gpt_neox"),
                         [](const auto& info) { return info.param; });

TEST_P(EveryFamily, HasTheInternalsThatTransformersSays) {
  InternalsFixture fixture(GetParam());
  const auto internals = fixture.Measure();
  ASSERT_TRUE(internals) << internals.error().Text();
  EXPECT_EQ(internals->protocol, "contrast-1-last");
  ExpectAsTransformers(*internals, fixture.expected["internals"]);
}

TEST_P(EveryFamily, AGrowingTextHasTheLogitsOfTheWhole) {
  InternalsFixture fixture(GetParam());
  const std::vector<TokenId>& text = fixture.encoded.tokens[0];
  const auto whole = fixture.decoder->Logits(text).value();
  const auto width = static_cast<std::size_t>(fixture.decoder->config().vocab_size);
  std::size_t known = 0;
  for (const std::size_t length : {std::size_t{5}, std::size_t{6}, std::size_t{7}, text.size()}) {
    const auto logits = fixture.decoder->NextLogits(std::span(text).first(length), known).value();
    for (std::size_t i = 0; i < width; ++i) {
      EXPECT_NEAR(logits[i], whole[(length - 1) * width + i], 1e-4) << length;
    }
    known = length;
  }
  EXPECT_EQ(fixture.decoder->NextLogits(text, 3).error().kind, ErrorKind::kUsage);
}

TEST(Internals, ReinitialisedWeightsAreTheControl) {
  InternalsFixture fixture("llama");
  Internals internals = fixture.Measure(false).value();
  const auto source = MakeReinitialisedSource(fixture.tensors, fixture.decoder->config(), 1);
  fixture.decoder = LoadDecoder(*source, fixture.decoder->config(), fixture.place).value().decoder;
  const Internals untrained = fixture.Measure(false).value();
  CompareWithReinitialised(internals, untrained);
  EXPECT_NEAR(*internals.layers[0].reinitialised, untrained.layers[0].coupling.value, 1e-12);
  // A model that is compared with itself says nothing that its training put there.
  Internals itself = untrained;
  CompareWithReinitialised(itself, untrained);
  for (const LayerInternals& layer : itself.layers) {
    EXPECT_EQ(layer.verdict, LayerVerdict::kUntrained);
  }
}

TEST(Internals, ScoresNameTheProtocolAndTheLayer) {
  InternalsFixture fixture("gpt2");
  const Internals internals = fixture.Measure(false).value();
  std::map<std::string, Score> scores;
  for (const Score& score : InternalsScores(internals)) {
    EXPECT_EQ(score.task, "internals:contrast-1-last");
    EXPECT_EQ(score.metric.find('.'), std::string::npos);  // axes are TASK.METRIC
    scores[score.metric] = score;
  }
  EXPECT_DOUBLE_EQ(scores.at("layer_coupling_l3").value, internals.layers[2].coupling.value);
  EXPECT_GT(scores.at("layer_coupling_l3").stderr_value, 0);
  EXPECT_EQ(scores.at("layer_coupling_l3").n, 104);
  EXPECT_TRUE(scores.contains("d_rep_l1"));
  EXPECT_TRUE(scores.contains("competing_heads"));
  EXPECT_TRUE(scores.contains("bottleneck"));
  EXPECT_FALSE(scores.contains("reinitialised_coupling_l1"));  // nothing was compared
}

TEST(Internals, AStateThatIsNotFiniteIsRefusedWithLayerAndPrompt) {
  InternalsFixture fixture("llama");
  PromptStates states =
      CollectStates(*fixture.decoder, fixture.place, fixture.encoded.tokens, {}).value();
  states.residual[2](55, 3) = std::numeric_limits<float>::quiet_NaN();
  const auto refused = AnalyseStates(fixture.prompts, fixture.encoded, states, 4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(refused.error().message, HasSubstr("layer 2"));
  EXPECT_THAT(refused.error().message, HasSubstr("truthfulness prompt 3"));
}

TEST(Internals, AHeadThatGivesNothingIsNotFinite) {
  InternalsFixture fixture("llama");
  PromptStates states =
      CollectStates(*fixture.decoder, fixture.place, fixture.encoded.tokens, {}).value();
  states.heads[1].leftCols(4).setZero();
  const Internals internals = AnalyseStates(fixture.prompts, fixture.encoded, states, 4).value();
  EXPECT_EQ(internals.non_finite_heads, 1);
  EXPECT_EQ(internals.layers[1].non_finite_heads, 1);
  EXPECT_TRUE(std::isnan(internals.layers[1].head_coupling[0]));
  EXPECT_THAT(ToJson(internals), HasSubstr(R"("non_finite_heads":1)"));
}

TEST(Internals, PromptsThatTheModelCannotTakeAreNamed) {
  InternalsFixture fixture("llama");
  const auto refused = EncodePrompts(fixture.prompts, *fixture.tokenizer, {.max_length = 20}, 100);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("All roses"));
  EXPECT_THAT(refused.error().message, HasSubstr("the model takes 20"));
}

}  // namespace
}  // namespace couplingd
