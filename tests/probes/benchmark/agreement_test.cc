// Every cause of a differing choice, each made on purpose in a copy of one side.
#include "probes/benchmark/agreement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/json.h"
#include "probes/benchmark/samples.h"
#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double kPerToken = 1e-3;

std::shared_ptr<const Tokenizer> Load(const std::string& name) {
  return Value(LoadTokenizer(Data(name)));
}

// The same vocabulary without a merge: one token per byte.
std::shared_ptr<const Tokenizer> ByteTokenizer() {
  JsonDocument file = Value(ParseJsonFile(Data("tokenizer_plain/tokenizer.json")));
  file["model"]["merges"].Clear();
  const std::string text = JsonWriter().Value(static_cast<const JsonValue&>(file)).Text();
  return Value(ParseTokenizer(text, "", "bytes"));
}

double ToBf16(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return static_cast<double>(std::bit_cast<float>((bits + 0x8000u) & 0xFFFF0000u));
}

class AgreementTest : public testing::Test {
 protected:
  void SetUp() override {
    const SampledTask task =
        Value(ReadSampleScores(Data("samples_arc_easy_2025-01-01T00-00-00.000000.jsonl")));
    ours_ = {.pack = task.pack, .scores = task.scores};
    for (auto& item : ours_.scores.scores) {
      for (ChoiceScore& score : item) score.log_likelihood -= 1.0 / 3;  // no number of 16 bits
    }
    theirs_ = ours_;
  }
  // Adds to every log-likelihood of theirs, alternating in sign where asked to.
  void Shift(double by, bool alternating = false) {
    double sign = 1;
    for (auto& item : theirs_.scores.scores) {
      for (ChoiceScore& score : item) {
        score.log_likelihood += sign * by;
        if (alternating) sign = -sign;
      }
    }
  }
  Agreement Compare() { return Value(CompareScores(ours_, theirs_, kPerToken)); }
  void ExpectCause(DifferenceCause cause, const std::string& evidence) {
    const Agreement agreement = Compare();
    EXPECT_EQ(agreement.differing.size(), 12u);
    for (const ChoiceDifference& one : agreement.differing) {
      EXPECT_EQ(ToString(one.cause), ToString(cause)) << one.evidence;
      EXPECT_THAT(one.evidence, HasSubstr(evidence));
    }
    EXPECT_EQ(agreement.would_decide.empty(), cause != DifferenceCause::kUnknown);
  }
  ScoredSide ours_, theirs_;
};

TEST_F(AgreementTest, OfEqualScoresIsComplete) {
  const Agreement agreement = Compare();
  EXPECT_EQ(agreement.items, 3u);
  EXPECT_EQ(agreement.choices, 12u);
  EXPECT_EQ(agreement.agreeing, 12u);
  EXPECT_EQ(agreement.other_best, 0u);
  EXPECT_THAT(agreement.differing, IsEmpty());
  Shift(2e-4);
  EXPECT_EQ(Compare().agreeing, 12u) << "within the tolerance";
}

TEST_F(AgreementTest, NamesTheTemplateWhereWorkedExamplesStandBefore) {
  for (PackItem& item : theirs_.pack.items) {
    item.contexts[0].insert(0, "Question: One?\nAnswer: two\n\nQuestion: Three?\nAnswer: four\n\n");
  }
  Shift(-0.5);
  ExpectCause(DifferenceCause::kTemplate,
              "theirs has 59 characters more before the same question, 2 worked examples");
}

TEST_F(AgreementTest, NamesTheTemplateWhereThePromptHasOtherWords) {
  for (PackItem& item : theirs_.pack.items) item.contexts[0].replace(0, 8, "Q");
  Shift(-0.5);
  ExpectCause(DifferenceCause::kTemplate,
              "the context differs from character 1 on: ours \"uestion");
}

TEST_F(AgreementTest, NamesSpacingWhereTheBlankBeforeTheChoiceIsMissing) {
  theirs_.pack.delimiter.clear();
  Shift(-0.5);
  ExpectCause(DifferenceCause::kSpacing,
              "the continuation begins with \" \" here and no white space there");
}

TEST_F(AgreementTest, NamesSpacingWithinThePrompt) {
  for (PackItem& item : theirs_.pack.items) {
    item.contexts[0].replace(item.contexts[0].find("\nAnswer"), 1, "\n\n");
  }
  Shift(-0.5);
  ExpectCause(DifferenceCause::kSpacing, "white space differs from character");
}

TEST_F(AgreementTest, SeesThatABlankMovesToTheContinuation) {
  theirs_.pack.delimiter.clear();
  for (PackItem& item : theirs_.pack.items) item.contexts[0] += " ";
  Shift(-3);
  const Agreement agreement = Compare();
  EXPECT_THAT(agreement.differing,
              Each(Field(&ChoiceDifference::cause, DifferenceCause::kUnknown)));
}

TEST_F(AgreementTest, NamesTheTokenizerWhereTokensDiffer) {
  ours_.tokenizer = Load("tokenizer_plain");
  theirs_.tokenizer = ByteTokenizer();
  Shift(-0.5);
  ExpectCause(DifferenceCause::kTokenizer, "tokens here and");
}

TEST_F(AgreementTest, NamesTheTokenizerWhereASpecialTokenHasAnotherId) {
  ours_.tokenizer = Load("tokenizer_plain");
  theirs_.specials = {{"</s>", 2}};
  Shift(-0.5);
  ExpectCause(DifferenceCause::kTokenizer, "their </s> is token 2, ours is token 1");
}

TEST_F(AgreementTest, NamesTruncationWhereWindowsDiffer) {
  ours_.tokenizer = Load("tokenizer_plain");
  ours_.max_length = 2048;
  theirs_.max_length = 12;
  Shift(-0.5);
  ExpectCause(DifferenceCause::kTruncation, "tokens; ours takes 2048, theirs 12");
}

TEST_F(AgreementTest, NamesTruncationWhereOnlyWhatIsTooLongDiffers) {
  ours_.tokenizer = Load("tokenizer_plain");
  std::string& context = ours_.pack.items[0].contexts[0];
  context.insert(0, std::string(1000, 'x'));
  theirs_.pack = ours_.pack;
  ours_.max_length = 500;
  for (ChoiceScore& score : theirs_.scores.scores[0]) score.log_likelihood -= 2;
  const Agreement agreement = Compare();
  EXPECT_EQ(agreement.differing.size(), 4u);
  EXPECT_THAT(agreement.differing,
              Each(Field(&ChoiceDifference::cause, DifferenceCause::kTruncation)));
  EXPECT_THAT(agreement.differing[0].evidence, HasSubstr("and no choice that fits differs"));
  Shift(-2);
  EXPECT_THAT(Compare().would_decide, Contains(HasSubstr("--their-max-length")));
}

TEST_F(AgreementTest, NamesBosWhereOnlyTheFirstTokenDiffers) {
  ours_.tokenizer = Load("tokenizer_bos");
  ours_.bos = BosMode::kAuto;
  theirs_.bos = BosMode::kFalse;
  Shift(-0.5);
  ExpectCause(DifferenceCause::kBos, "ours begin with token 0, theirs do not");
  std::swap(ours_.bos, theirs_.bos);
  ExpectCause(DifferenceCause::kBos, "theirs begin with token 0, ours do not");
}

TEST_F(AgreementTest, DoesNotBlameBosWhereTheTokenizerAddsNone) {
  ours_.tokenizer = Load("tokenizer_plain");
  ours_.bos = BosMode::kAuto;
  theirs_.bos = BosMode::kFalse;
  Shift(-0.5);
  ExpectCause(DifferenceCause::kUnknown, "not explained");
}

TEST_F(AgreementTest, SaysThatBosWouldHaveToBeKnown) {
  ours_.tokenizer = Load("tokenizer_bos");
  ours_.bos = BosMode::kAuto;
  Shift(-0.5);
  ExpectCause(DifferenceCause::kUnknown, "not explained");
  EXPECT_THAT(Compare().would_decide, Contains(HasSubstr("add_bos_token")));
}

TEST_F(AgreementTest, NamesDtypeWhereTheNumbersOfOneSideAreAllOfThatFormat) {
  for (auto& item : theirs_.scores.scores) {
    for (ChoiceScore& score : item) {
      score.log_likelihood = ToBf16(score.log_likelihood) + (score.log_likelihood < -4 ? 0.125 : 0);
      score.log_likelihood = ToBf16(score.log_likelihood);
    }
  }
  EXPECT_EQ(HalfFormatOf(theirs_.scores), "bf16");
  EXPECT_EQ(HalfFormatOf(ours_.scores), "");
  const Agreement agreement = Compare();
  EXPECT_FALSE(agreement.differing.empty());
  EXPECT_THAT(agreement.differing, Each(Field(&ChoiceDifference::cause, DifferenceCause::kDtype)));
  EXPECT_THAT(agreement.differing[0].evidence, HasSubstr("ours in another format, theirs in bf16"));
}

TEST_F(AgreementTest, NamesDtypeWhereItIsKnownToDifferAndTheDifferenceIsRounding) {
  ours_.dtype = "fp32";
  theirs_.dtype = "fp16";
  Shift(0.01);
  ExpectCause(DifferenceCause::kDtype, "ours in fp32, theirs in fp16");
  Shift(-8);
  ExpectCause(DifferenceCause::kUnknown, "not explained");
}

TEST_F(AgreementTest, NamesDtypeWhereDifferencesAreSmallAndOfBothSigns) {
  Shift(0.01, /*alternating=*/true);
  ExpectCause(DifferenceCause::kDtype, "as small as rounding makes it and of both signs");
  Shift(0.01);
  const Agreement shifted = Compare();
  EXPECT_THAT(shifted.differing, Each(Field(&ChoiceDifference::cause, DifferenceCause::kUnknown)))
      << "all to one side is no rounding";
}

TEST_F(AgreementTest, AsksForTheWeightsWhereEverythingElseIsKnownToBeEqual) {
  for (ScoredSide* side : {&ours_, &theirs_}) {
    side->tokenizer = Load("tokenizer_bos");
    side->bos = BosMode::kAuto;
    side->max_length = 2048;
    side->dtype = "fp32";
  }
  Shift(0.01, /*alternating=*/true);
  ExpectCause(DifferenceCause::kUnknown, "not explained");
  EXPECT_THAT(Compare().would_decide, Each(HasSubstr("the same weights")));
}

TEST_F(AgreementTest, PairsItemsByTheirTextsWhateverTheirOrder) {
  std::ranges::reverse(theirs_.pack.items);
  std::ranges::reverse(theirs_.scores.scores);
  theirs_.pack.items.pop_back();
  theirs_.scores.scores.pop_back();
  const Agreement agreement = Compare();
  EXPECT_EQ(agreement.items, 2u);
  EXPECT_EQ(agreement.only_ours, 1u);
  EXPECT_EQ(agreement.differing.size(), 0u);
}

TEST_F(AgreementTest, CountsItemsOfWhichAnotherChoiceIsTheLikeliest) {
  theirs_.scores.scores[1][2].log_likelihood = 0;
  const Agreement agreement = Compare();
  EXPECT_EQ(agreement.other_best, 1u);
  ASSERT_EQ(agreement.differing.size(), 1u);
  EXPECT_EQ(agreement.differing[0].our_item, "1");
  EXPECT_EQ(agreement.differing[0].choice, 2u);
}

TEST_F(AgreementTest, RefusesTasksWithoutACommonItem) {
  theirs_ = {};
  const SampledTask other =
      Value(ReadSampleScores(Data("samples_mmlu_anatomy_2025-01-01T00-00-00.000000.jsonl")));
  theirs_.pack = other.pack;
  theirs_.scores = other.scores;
  const auto agreement = CompareScores(ours_, theirs_, kPerToken);
  ASSERT_FALSE(agreement);
  EXPECT_THAT(agreement.error().Text(), HasSubstr("no item of arc_easy is one of mmlu_anatomy"));
}

}  // namespace
}  // namespace couplingd
