#include "probes/internals/steering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/probes/internals/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

std::vector<std::vector<TokenId>> Encode(const InternalsFixture& fixture, bool true_ones) {
  std::vector<std::string> texts;
  for (const StatementPair& pair : fixture.prompts.statements) {
    texts.push_back(true_ones ? pair.true_one : pair.false_one);
  }
  return EncodeTexts(texts, *fixture.tokenizer, {.max_length = 256}, 100).value();
}

TruthDirection DirectionOf(InternalsFixture& fixture) {
  return FindTruthDirection(*fixture.decoder, fixture.place, Encode(fixture, true),
                            Encode(fixture, false), 1, 512)
      .value();
}

std::vector<TokenId> PromptOf(const InternalsFixture& fixture) {
  return EncodeTexts({fixture.expected["steering"]["prompt"].GetString()}, *fixture.tokenizer,
                     {.max_length = 256}, 100)
      .value()[0];
}

class SteeringOfEveryFamily : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Steering, SteeringOfEveryFamily,
                         testing::Values("llama", "gpt2", "gpt_neox"),
                         [](const auto& info) { return info.param; });

TEST_P(SteeringOfEveryFamily, GivesTheTextsOfTransformers) {
  InternalsFixture fixture(GetParam());
  const JsonValue& expected = fixture.expected["steering"];
  const TruthDirection direction = DirectionOf(fixture);
  EXPECT_EQ(expected["layer"].GetInt(), SteeringLayer(4, 0).value());
  EXPECT_NEAR(direction.mean_norm / expected["mean_norm"].GetDouble(), 1, 1e-4);
  for (Eigen::Index i = 0; i < direction.unit.size(); ++i) {
    EXPECT_NEAR(direction.unit(i),
                expected["direction"][static_cast<rapidjson::SizeType>(i)].GetDouble(), 1e-4);
  }
  const std::vector<TokenId> prompt = PromptOf(fixture);
  for (const JsonValue& text : expected["texts"].GetArray()) {
    const auto strength = static_cast<float>(text["strength"].GetDouble());
    const auto hook = MakeSteeringHook(fixture.place, direction.layer, direction.unit * strength);
    fixture.decoder->Attach(hook.get());
    const auto logits = fixture.decoder->NextLogits(prompt, 0).value();
    for (rapidjson::SizeType i = 0; i < text["logits"].Size(); ++i) {
      EXPECT_NEAR(logits[i], text["logits"][i].GetDouble(), 1e-3) << strength;
    }
    const auto tokens = Generate(*fixture.decoder, prompt, {.max_tokens = 12}).value();
    fixture.decoder->Attach(nullptr);
    ASSERT_EQ(tokens.size(), text["ids"].Size());
    for (rapidjson::SizeType i = 0; i < text["ids"].Size(); ++i) {
      EXPECT_EQ(tokens[i], text["ids"][i].GetInt()) << strength;
    }
  }
}

TEST(Steering, ATextStaysGreedyExactlyWhereGenerationWouldGiveItAgain) {
  InternalsFixture fixture("llama");
  const TruthDirection direction = DirectionOf(fixture);
  std::vector<std::vector<TokenId>> prompts(fixture.encoded.tokens.begin(),
                                            fixture.encoded.tokens.begin() + 8);
  std::vector<std::vector<TokenId>> without, with;
  const auto hook = MakeSteeringHook(fixture.place, 1, direction.unit * 0.3f);
  for (const auto& prompt : prompts) {
    without.push_back(Generate(*fixture.decoder, prompt, {.max_tokens = 8}).value());
    fixture.decoder->Attach(hook.get());
    with.push_back(Generate(*fixture.decoder, prompt, {.max_tokens = 8}).value());
    fixture.decoder->Attach(nullptr);
  }
  fixture.decoder->Attach(hook.get());
  const auto stays = StaysGreedy(*fixture.decoder, prompts, without, 256).value();
  fixture.decoder->Attach(nullptr);
  for (std::size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(stays[i], without[i] == with[i]) << i;
}

TEST(Steering, DrawnTextsFollowFromTheSeed) {
  InternalsFixture fixture("gpt2");
  const std::vector<TokenId> prompt = PromptOf(fixture);
  const auto draw = [&](std::uint64_t seed) {
    return Generate(*fixture.decoder, prompt, {.max_tokens = 20, .sample = true, .seed = seed})
        .value();
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Steering, TheStrengthFollowsFromTheCoupling) {
  EXPECT_EQ(AdaptiveStrength(-0.2), 3.0);
  EXPECT_EQ(AdaptiveStrength(0.0), 1.5);
  EXPECT_EQ(AdaptiveStrength(0.2), 0.5);
  EXPECT_EQ(AdaptiveStrength(0.9), 0.0);
}

TEST(Steering, ALayerThatIsNotThereIsRefused) {
  EXPECT_EQ(SteeringLayer(30, 0).value(), 7);
  EXPECT_EQ(SteeringLayer(30, 12).value(), 12);
  EXPECT_EQ(SteeringLayer(3, 0).error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(SteeringLayer(30, 31).error().Text(), HasSubstr("1 to 30"));
}

TEST(Steering, StatementsWithoutADifferenceHaveNoDirection) {
  InternalsFixture fixture("llama");
  const auto trues = Encode(fixture, true);
  const auto refused = FindTruthDirection(*fixture.decoder, fixture.place, trues, trues, 1, 512);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no truth direction"));
}

TEST(Steering, AGradeComparesTheSameItemsAndCountsRandomDirections) {
  const std::vector<double> without = {1, 1, -1, -1}, with = {1, 1, 1, -1};
  const std::vector<std::vector<double>> random = {{1, 1, -1, -1}, {1, 1, 1, 1}, {1, -1, -1, -1}};
  const PairedGrade grade = GradeMargins(without, with, random, 1);
  EXPECT_DOUBLE_EQ(grade.without, 0.5);
  EXPECT_DOUBLE_EQ(grade.difference.value, 0.25);
  EXPECT_LE(grade.difference.low, 0.25);
  EXPECT_DOUBLE_EQ(grade.p, 2.0 / 4);  // one of three gains as much
}

}  // namespace
}  // namespace couplingd
