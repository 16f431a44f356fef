#include "probes/model/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

class EveryFixture : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Decoder, EveryFixture, testing::ValuesIn(FixtureNames()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryFixture, GivesTheLogitsOfTransformers) {
  const ExpectedLogits expected = ReadExpected(GetParam());
  for (const bool batched : {false, true}) {
    const LoadedDecoder loaded = LoadFixture(GetParam(), {}, {.batched_attention = batched});
    const auto logits = loaded.decoder->Logits(expected.tokens);
    ASSERT_TRUE(logits) << logits.error().Text();
    // Of logits up to 10; every kind of processor sums in another order.
    EXPECT_LT(LargestDifference(*logits, expected.logits), 1e-4)
        << "batched attention: " << batched;
  }
}

// Of one text, each token given the ones before it: [tokens − 1].
std::vector<float> AloneScores(Decoder& decoder, const std::vector<TokenId>& text) {
  const std::vector<float> logits = decoder.Logits(text).value();
  const std::size_t width = logits.size() / text.size();
  std::vector<float> scores;
  for (std::size_t row = 0; row + 1 < text.size(); ++row) {
    const std::span<const float> of_row = std::span(logits).subspan(row * width, width);
    double sum = 0;
    for (const float logit : of_row) sum += std::exp(static_cast<double>(logit));
    scores.push_back(of_row[static_cast<std::size_t>(text[row + 1])] -
                     static_cast<float>(std::log(sum)));
  }
  return scores;
}

// A stem that three texts share: two branches in the stem's pack, of which the second goes on in
// the next pack, where the third branch stands too.
struct SharedTexts {
  static constexpr std::int64_t kStem = 14, kBranch = 11;
  std::vector<std::vector<TokenId>> texts;
  ForwardPlan plan;
  std::vector<std::vector<std::size_t>> reads;  // of each text, in order

  explicit SharedTexts(const std::vector<TokenId>& tokens) {
    plan.tokens.assign(tokens.begin(), tokens.begin() + kStem);
    plan.segments.push_back({0, kStem, -1, 0, 1});
    AddBranch(tokens, 0, kStem, kBranch, 0);
    AddBranch(tokens, 0, kStem + 3, 5, 1);
    AddBranch(tokens, 2, kStem + 8, 6, 1);
    AddBranch(tokens, 0, kStem + 9, kBranch, 1);
    const std::int64_t second_pack = plan.segments[3].begin;
    const auto end = static_cast<std::int64_t>(plan.tokens.size());
    AddText({0, 1});
    AddText({0, 2, 3});
    AddText({0, 4});
    std::ranges::sort(plan.reads);
    const auto [first, last] = std::ranges::unique(plan.reads);
    plan.reads.erase(first, last);
    FindReads();
    const auto split =
        std::ranges::lower_bound(plan.reads, second_pack, {}, &TokenRead::row) - plan.reads.begin();
    plan.packs = {{0, 3, 0, second_pack, 0, split},
                  {3, 5, second_pack, end, split, std::ssize(plan.reads)}};
  }

 private:
  void AddBranch(const std::vector<TokenId>& tokens, std::int32_t parent, std::int64_t from,
                 std::int64_t count, std::int32_t last_pack) {
    const Segment& above = plan.segments[static_cast<std::size_t>(parent)];
    const auto begin = static_cast<std::int64_t>(plan.tokens.size());
    const auto position = static_cast<std::int32_t>(above.position + above.end - above.begin);
    plan.tokens.insert(plan.tokens.end(), tokens.begin() + from, tokens.begin() + from + count);
    plan.segments.push_back({begin, begin + count, parent, position, last_pack});
  }

  void AddText(const std::vector<std::size_t>& path) {
    std::vector<std::int64_t> rows;
    for (const std::size_t segment : path) {
      const Segment& of = plan.segments[segment];
      for (std::int64_t row = of.begin; row < of.end; ++row) rows.push_back(row);
    }
    std::vector<TokenId> text;
    for (const std::int64_t row : rows) text.push_back(plan.tokens[static_cast<std::size_t>(row)]);
    for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
      plan.reads.push_back({rows[i], text[i + 1]});
      wanted_.push_back(plan.reads.back());
    }
    texts.push_back(std::move(text));
  }

  void FindReads() {
    std::size_t next = 0;
    for (const std::vector<TokenId>& text : texts) {
      reads.emplace_back();
      for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        const auto at = std::ranges::lower_bound(plan.reads, wanted_[next++]);
        reads.back().push_back(static_cast<std::size_t>(at - plan.reads.begin()));
      }
    }
  }

  std::vector<TokenRead> wanted_;
};

TEST_P(EveryFixture, ScoresTextsThatShareAStemAsEachAlone) {
  const ExpectedLogits expected = ReadExpected(GetParam());
  const SharedTexts shared(expected.tokens);
  for (const bool batched : {false, true}) {
    const LoadedDecoder loaded = LoadFixture(GetParam(), {}, {.batched_attention = batched});
    std::vector<TokenScore> scores(shared.plan.reads.size());
    for (std::size_t pack = 0; pack < shared.plan.packs.size(); ++pack) {
      const Status run = loaded.decoder->Run(shared.plan, pack, scores);
      ASSERT_TRUE(run) << run.error().Text();
    }
    for (std::size_t text = 0; text < shared.texts.size(); ++text) {
      const std::vector<float> alone = AloneScores(*loaded.decoder, shared.texts[text]);
      for (std::size_t i = 0; i < alone.size(); ++i) {
        EXPECT_NEAR(scores[shared.reads[text][i]].log_probability, alone[i], 2e-5)
            << "batched attention: " << batched << ", text " << text << ", token " << i;
      }
    }
  }
}

TEST_P(EveryFixture, GivesAGrowingTextTheLogitsOfTheWhole) {
  const ExpectedLogits expected = ReadExpected(GetParam());
  const LoadedDecoder loaded = LoadFixture(GetParam());
  const std::size_t width = expected.logits.size() / expected.tokens.size();
  std::size_t known = 0;
  // LongRoPE's factors follow the length, so that a text that grows past it changes.
  for (const std::size_t length : {std::size_t{20}, std::size_t{21}, expected.tokens.size()}) {
    const auto text = std::span(expected.tokens).first(length);
    const auto logits = loaded.decoder->NextLogits(text, known);
    ASSERT_TRUE(logits) << logits.error().Text();
    const auto row = std::span(expected.logits).subspan((length - 1) * width, width);
    EXPECT_LT(LargestDifference(*logits, {row.begin(), row.end()}), 5e-5) << length;
    known = length;
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
