#include "probes/model/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

class EveryFixture : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Decoder, EveryFixture, testing::ValuesIn(FixtureNames()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryFixture, GivesTheLogitsOfTransformers) {
  const ExpectedLogits expected = ReadExpected(GetParam());
  for (const bool plain : {false, true}) {
    const LoadedDecoder loaded = LoadFixture(GetParam(), {}, {.plain_attention = plain});
    const auto logits = loaded.decoder->Logits(expected.tokens);
    ASSERT_TRUE(logits) << logits.error().Text();
    EXPECT_LT(LargestDifference(*logits, expected.logits), 2e-5) << "plain attention: " << plain;
  }
}

TEST(Decoder, ComputesInBf16WhenAskedTo) {
  const ExpectedLogits expected = ReadExpected("llama_bf16");
  const LoadedDecoder loaded = LoadFixture("llama_bf16", {.type = ComputeType::kBf16});
  const auto logits = loaded.decoder->Logits(expected.tokens);
  ASSERT_TRUE(logits) << logits.error().Text();
  float largest = 0;
  for (const float logit : expected.logits) largest = std::max(largest, std::abs(logit));
  const float difference = LargestDifference(*logits, expected.logits);
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 0.05 * largest);
}

TEST(Decoder, RefusesATokenOutsideTheVocabulary) {
  const LoadedDecoder loaded = LoadFixture("gpt2_plain");
  const auto logits = loaded.decoder->Logits(std::vector<TokenId>{1, 53, 2});
  ASSERT_FALSE(logits);
  EXPECT_EQ(logits.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(logits.error().message,
              HasSubstr("token id 53 is outside the model's vocabulary of 53"));
}

TEST(Decoder, RefusesASequenceLongerThanItsPositions) {
  const LoadedDecoder loaded = LoadFixture("gpt2_plain");
  const auto logits = loaded.decoder->Logits(std::vector<TokenId>(65, 1));
  ASSERT_FALSE(logits);
  EXPECT_THAT(logits.error().message,
              HasSubstr("65 tokens is longer than the model's 64 positions"));
}

}  // namespace
}  // namespace couplingd
