#include "probes/tokenizer/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <random>

#include "tests/probes/tokenizer/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<Tokenizer> WithModel(std::string_view model, std::string_view fields = "") {
  return Unwrap(ParseTokenizer(TokenizerJson(model, fields), "", "test"));
}

TEST(Bpe, MergesTheLowestRankFirstAndFromTheLeft) {
  const auto tokenizer = WithModel(
      R"({"type":"BPE","vocab":{"a":0,"b":1,"c":2,"bc":3,"ab":4,"aa":5},"merges":["b c","a b","a a"]})");
  EXPECT_THAT(EncodeOrFail(*tokenizer, "abc"), ElementsAre(0, 3));
  EXPECT_THAT(EncodeOrFail(*tokenizer, "aaab"), ElementsAre(5, 4));
  EXPECT_THAT(EncodeOrFail(*tokenizer, "aaa"), ElementsAre(5, 0));
}

TEST(Bpe, TakesTheLaterRankOfAPairThatStandsTwice) {
  const auto tokenizer = WithModel(
      R"({"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3,"bc":4},"merges":["a b","b c","a b"]})");
  EXPECT_THAT(EncodeOrFail(*tokenizer, "abc"), ElementsAre(0, 4));
}

TEST(Bpe, SkipsTheVersionLineAndReadsAFileWithoutAType) {
  const auto tokenizer =
      WithModel(R"({"vocab":{"a":0,"b":1,"ab":2},"merges":["#version: 0.2","a b"]})");
  EXPECT_THAT(EncodeOrFail(*tokenizer, "ab"), ElementsAre(2));
}

TEST(Bpe, DropsUnknownCharactersWhereThereIsNoUnknownToken) {
  const auto tokenizer = WithModel(R"({"type":"BPE","vocab":{"a":0},"merges":[]})");
  EXPECT_THAT(EncodeOrFail(*tokenizer, "xaxxa"), ElementsAre(0, 0));
}

TEST(Bpe, FusesUnknownCharactersOnlyWhereAsked) {
  const std::string model =
      R"({"type":"BPE","vocab":{"a":0,"?":1},"merges":[],"unk_token":"?","fuse_unk":)";
  EXPECT_THAT(EncodeOrFail(*WithModel(model + "true}"), "xyaz"), ElementsAre(1, 0, 1));
  EXPECT_THAT(EncodeOrFail(*WithModel(model + "false}"), "xyaz"), ElementsAre(1, 1, 0, 1));
}

TEST(Bpe, FallsBackToBytesOnlyWhereAllOfThemAreThere) {
  const auto tokenizer = WithModel(
      R"({"type":"BPE","vocab":{"a":0,"?":1,"<0xC3>":2,"<0xA9>":3},"merges":[],"unk_token":"?","byte_fallback":true})");
  EXPECT_THAT(EncodeOrFail(*tokenizer, "a\xC3\xA9"), ElementsAre(0, 2, 3));
  EXPECT_THAT(EncodeOrFail(*tokenizer, "\xC3\xAA"), ElementsAre(1));
}

TEST(Bpe, SaysSoWhereTheUnknownTokenIsMissingButOnlyWhenItIsNeeded) {
  const auto tokenizer =
      WithModel(R"({"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"<unk>"})");
  EXPECT_THAT(EncodeOrFail(*tokenizer, "aa"), ElementsAre(0, 0));
  const auto ids = tokenizer->Encode("ab", false);
  ASSERT_FALSE(ids);
  EXPECT_THAT(ids.error().message, HasSubstr("<unk>"));
}

// Merges every pair in turn, by the definition.
std::vector<TokenId> MergeByDefinition(std::string_view text,
                                       const std::vector<std::string>& merges,
                                       const Tokenizer& tokenizer) {
  std::vector<std::string> symbols;
  for (const char c : text) symbols.emplace_back(1, c);
  for (bool merged = true; merged;) {
    merged = false;
    for (const std::string& merge : merges) {
      const std::string left = merge.substr(0, merge.find(' '));
      const std::string right = merge.substr(merge.find(' ') + 1);
      for (std::size_t i = 0; i + 1 < symbols.size() && !merged; ++i) {
        if (symbols[i] != left || symbols[i + 1] != right) continue;
        symbols[i] += right;
        symbols.erase(symbols.begin() + i + 1);
        merged = true;
      }
      if (merged) break;
    }
  }
  std::vector<TokenId> ids;
  for (const std::string& symbol : symbols) ids.push_back(*tokenizer.IdOf(symbol));
  return ids;
}

const std::vector<std::string> kDenseMerges = {"a b", "b a",  "ab ab", "c a", "a a",    "ba c",
                                               "b b", "ab c", "aa a",  "c c", "cc abab"};

// Over a, b and c, where merges join any two of them.
std::unique_ptr<Tokenizer> DenseTokenizer() {
  std::string list, vocabulary = R"("a":0,"b":1,"c":2)";
  int id = 3;
  for (std::string merge : kDenseMerges) {
    list += (list.empty() ? "\"" : ",\"") + merge + "\"";
    merge.erase(merge.find(' '), 1);
    vocabulary += ",\"" + merge + "\":" + std::to_string(id++);
  }
  return WithModel("{\"type\":\"BPE\",\"vocab\":{" + vocabulary + "},\"merges\":[" + list + "]}");
}

std::string DenseText(std::mt19937& random, std::size_t size) {
  std::string text;
  while (text.size() < size) text += "aaabbc"[random() % 6];
  return text;
}

TEST(Bpe, AgreesWithTheDefinitionOnShortAndLongPieces) {
  const auto tokenizer = DenseTokenizer();
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::string text = DenseText(random, random() % 200);
    ASSERT_EQ(EncodeOrFail(*tokenizer, text), MergeByDefinition(text, kDenseMerges, *tokenizer))
        << text;
  }
}

// Without a pre-tokenizer a whole document is one piece.
class MegabytePiece : public testing::Test {
 protected:
  static void ExpectFast(const Tokenizer& tokenizer, const std::string& text) {
    const std::clock_t start = std::clock();
    const std::vector<TokenId> ids = EncodeOrFail(tokenizer, text);
    // Processor time: other work on the machine does not count.
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    RecordProperty("milliseconds", static_cast<int>(seconds * 1000));
    EXPECT_LT(ids.size(), text.size() * 3 / 4);
    std::string spelled = Unwrap(tokenizer.Decode(ids));
    std::erase(spelled, ' ');
    std::string bare = text;
    std::erase(bare, ' ');
    EXPECT_EQ(spelled, bare);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LT(seconds, 1.0);
#endif
  }
};

TEST_F(MegabytePiece, OfTextTakesLessThanASecond) {
  std::string text;
  for (int i = 0; text.size() < (1 << 20); ++i) {
    text += "the fox sings and every stone falls, const std::string line";
    text += std::to_string(i * 7919) + (i % 9 ? " " : "\n");
  }
  ExpectFast(*Unwrap(LoadTokenizer(TokenizerData("llama2"))), text);
}

TEST_F(MegabytePiece, ThatCanBeCutNowhereTakesLessThanASecond) {
  std::mt19937 random(11);
  ExpectFast(*DenseTokenizer(), DenseText(random, 1 << 20));
}

}  // namespace
}  // namespace couplingd
