#include "probes/tokenizer/tokenizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "probes/tokenizer/pattern.h"
#include "tests/probes/tokenizer/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kLetters =
    R"({"type":"BPE","vocab":{"a":0,"b":1," ":2,"x":3,"<s>":4,"</s>":5},"merges":[]})";

std::string Added(std::string_view content, int id, std::string_view changed = "") {
  std::string flags;
  for (const std::string_view flag : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
    flags += fmt::format(",\"{}\":{}", flag, changed.find(flag) != std::string_view::npos);
  }
  return fmt::format(R"({{"id":{},"content":"{}"{}}})", id, content, flags);
}

std::unique_ptr<Tokenizer> WithAdded(const std::vector<std::string>& tokens,
                                     std::string_view fields = "") {
  std::string list = "\"added_tokens\":[";
  for (const std::string& token : tokens) list += (list.ends_with('[') ? "" : ",") + token;
  list += "]";
  if (!fields.empty()) list += "," + std::string(fields);
  return Unwrap(ParseTokenizer(TokenizerJson(kLetters, list), "", "test"));
}

Result<std::unique_ptr<Tokenizer>> WithConfig(std::string_view config) {
  return ParseTokenizer(TokenizerJson(kLetters), config, "dir/tokenizer.json");
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = testing::TempDir() + "tokenizer-XXXXXX";
    path_ = mkdtemp(path.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  void Write(std::string_view name, std::string_view content) const {
    ASSERT_TRUE(WriteFileAtomically(JoinPath(path_, name), content));
  }

 private:
  std::string path_;
};

TEST(AddedTokens, AreFoundLongestFirst) {
  const auto tokenizer = WithAdded({Added("<a", 6), Added("<a>", 7), Added("a>", 8)});
  EXPECT_THAT(EncodeOrFail(*tokenizer, "b<a>a><ab"), ElementsAre(1, 7, 8, 6, 1));
}

TEST(AddedTokens, MustStandAloneWhereTheyAreSingleWords) {
  const auto tokenizer = WithAdded({Added("ab", 6, "single_word")});
  EXPECT_THAT(EncodeOrFail(*tokenizer, "ab xab ab, abx ab"),
              ElementsAre(6, 2, 3, 0, 1, 2, 6, 2, 0, 1, 3, 2, 6));
}

TEST(AddedTokens, TakeTheBlanksBesideThem) {
  const auto tokenizer = WithAdded({Added("<l>", 6, "lstrip"), Added("<r>", 7, "rstrip")});
  EXPECT_THAT(EncodeOrFail(*tokenizer, "a  <l> b <r>\t\xE3\x80\x80 <l>x"),
              ElementsAre(0, 6, 2, 1, 2, 7, 6, 3));
}

TEST(AddedTokens, AreFoundInTheNormalizedTextOnlyWhereTheyAreNormalized) {
  const std::string lower = R"("normalizer":{"type":"Lowercase"})";
  const auto tokenizer = WithAdded({Added("AB", 6, "normalized"), Added("XX", 7)}, lower);
  EXPECT_THAT(EncodeOrFail(*tokenizer, "aB abAB xxXX"), ElementsAre(6, 2, 6, 6, 2, 3, 3, 7));
}

TEST(SplitBehaviors, CutAsTheReferenceDescribes) {
  const auto cut = [](std::string_view name) {
    const std::string text = "the-final--countdown";
    const auto pattern = Unwrap(
        TextPattern::Parse(Unwrap(ParseJson(R"({"pattern":{"String":"-"}})", "test")), "test"));
    std::vector<std::string> pieces;
    const auto stretches = CoverWithGaps(Unwrap(pattern.FindAll(text)), text.size(), false);
    for (const TextSpan& piece : CutText(stretches, Unwrap(ParseSplitBehavior(name, "test")))) {
      pieces.push_back(text.substr(piece.begin, piece.end - piece.begin));
    }
    return pieces;
  };
  EXPECT_THAT(cut("Removed"), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(cut("Isolated"), ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(cut("MergedWithPrevious"), ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(cut("MergedWithNext"), ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(cut("Contiguous"), ElementsAre("the", "-", "final", "--", "countdown"));
}

TEST(Tokenizer, KeepsSpecialTokensOutUnlessAsked) {
  const auto tokenizer = Unwrap(LoadTokenizer(TokenizerData("llama2")));
  EXPECT_THAT(EncodeOrFail(*tokenizer, ""), IsEmpty());
  EXPECT_THAT(EncodeOrFail(*tokenizer, "", true), ElementsAre(*tokenizer->IdOf("<s>")));
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8AndIdsThatAreNotInTheVocabulary) {
  const auto tokenizer = Unwrap(LoadTokenizer(TokenizerData("gpt2")));
  for (const std::string_view text : {"\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\x80"}) {
    const auto ids = tokenizer->Encode(text, false);
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().kind, ErrorKind::kInvalidData);
  }
  for (const TokenId id : {-1, tokenizer->largest_id() + 1, INT32_MAX}) {
    const auto text = tokenizer->Decode(std::vector<TokenId>{id});
    ASSERT_FALSE(text);
    EXPECT_THAT(text.error().message, HasSubstr(std::to_string(id)));
  }
}

TEST(Tokenizer, IgnoresTruncationAndPadding) {
  const auto tokenizer = Unwrap(ParseTokenizer(
      TokenizerJson(
          kLetters,
          R"("truncation":{"max_length":1,"strategy":"LongestFirst","stride":0},"padding":{"pad_id":5})"),
      "", "test"));
  EXPECT_THAT(EncodeOrFail(*tokenizer, "aba"), ElementsAre(0, 1, 0));
}

TEST(Tokenizer, IsReadByManyThreadsAtOnce) {
  const auto tokenizer = Unwrap(LoadTokenizer(TokenizerData("llama3")));
  const std::vector<std::string> texts = FixtureTexts();
  std::vector<std::vector<TokenId>> expected;
  for (const std::string& text : texts) expected.push_back(EncodeOrFail(*tokenizer, text));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i)
        EXPECT_EQ(EncodeOrFail(*tokenizer, texts[i]), expected[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(TokenizerConfig, NamesBosAndEosAsTextOrAsToken) {
  const auto tokenizer =
      Unwrap(WithConfig(R"({"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false}})"));
  EXPECT_EQ(tokenizer->bos_id(), 4);
  EXPECT_EQ(tokenizer->eos_id(), 5);
  EXPECT_EQ(tokenizer->largest_id(), 5);
  const auto bare = Unwrap(WithConfig(R"({"bos_token":null})"));
  EXPECT_EQ(bare->bos_id(), std::nullopt);
  EXPECT_EQ(bare->eos_id(), std::nullopt);
}

TEST(TokenizerConfig, MayNotNameATokenThatIsNotThere) {
  const auto tokenizer = WithConfig(R"({"eos_token":"<|end|>"})");
  ASSERT_FALSE(tokenizer);
  EXPECT_THAT(tokenizer.error().message, HasSubstr("\"<|end|>\" as eos_token"));
}

TEST(TokenizerConfig, GivesTheLengthUnlessItIsInfinite) {
  EXPECT_EQ(Unwrap(WithConfig(R"({"model_max_length":2048})"))->model_max_length(), 2048);
  EXPECT_EQ(Unwrap(WithConfig(R"({"model_max_length":1000000000000000019884624838656})"))
                ->model_max_length(),
            std::nullopt);
  EXPECT_EQ(Unwrap(WithConfig("{}"))->model_max_length(), std::nullopt);
  for (const std::string_view length : {"0", "-5", "12.5", "\"2048\"", "NaN"}) {
    EXPECT_FALSE(WithConfig(fmt::format(R"({{"model_max_length":{}}})", length))) << length;
  }
}

TEST(TokenizerHash, ChangesWithTheFileAndWithWhatTheConfigurationDecides) {
  const std::string plain = Unwrap(WithConfig("{}"))->hash();
  EXPECT_EQ(plain.size(), 32u);
  EXPECT_EQ(Unwrap(WithConfig(R"({"clean_up_tokenization_spaces":true})"))->hash(), plain);
  EXPECT_NE(Unwrap(WithConfig(R"({"bos_token":"<s>"})"))->hash(), plain);
  EXPECT_NE(Unwrap(WithConfig(R"({"bos_token":"<s>"})"))->hash(),
            Unwrap(WithConfig(R"({"eos_token":"<s>"})"))->hash());
  EXPECT_NE(Unwrap(WithConfig(R"({"model_max_length":512})"))->hash(), plain);
  EXPECT_NE(Unwrap(ParseTokenizer(TokenizerJson(kLetters) + "\n", "", "test"))->hash(), plain);
}

TEST(LoadTokenizer, ReadsTheConfigurationAndThenTheSpecialTokensMap) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", TokenizerJson(kLetters));
  directory.Write("tokenizer_config.json", R"({"bos_token":"<s>","model_max_length":77})");
  directory.Write("special_tokens_map.json", R"({"bos_token":"a","eos_token":{"content":"</s>"}})");
  const auto tokenizer = Unwrap(LoadTokenizer(directory.path()));
  EXPECT_EQ(tokenizer->bos_id(), 4);
  EXPECT_EQ(tokenizer->eos_id(), 5);
  EXPECT_EQ(tokenizer->model_max_length(), 77);
}

TEST(LoadTokenizer, SaysWhatIsMissingAndWhatToDo) {
  const TemporaryDirectory directory;
  const auto missing = LoadTokenizer(directory.path());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("tokenizer.json"));
  EXPECT_THAT(missing.error().hint, HasSubstr("vocab.json with merges.txt, or tokenizer.model"));
}

TEST(LoadTokenizer, RefusesASentencePieceFileThatIsNone) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.model", "no protocol buffer");
  const auto refused = LoadTokenizer(directory.path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(refused.error().message, HasSubstr("tokenizer.model"));
}

TEST(LoadTokenizer, SurvivesASentencePieceFileThatIsCutShortAnywhere) {
  const std::string whole = Unwrap(ReadFile(TokenizerData("sentencepiece_bpe/tokenizer.model")));
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    const TemporaryDirectory directory;
    directory.Write("tokenizer.model", whole.substr(0, size));
    const auto loaded = LoadTokenizer(directory.path());
    if (loaded) (void)(*loaded)->Encode("a text", true);
  }
}

TEST(LoadTokenizer, RefusesWordsOfAClassThatItDoesNotKnow) {
  const TemporaryDirectory directory;
  directory.Write("vocab.json", R"({"a": 0})");
  directory.Write("merges.txt", "#version: 0.2\n");
  directory.Write("tokenizer_config.json", R"({"tokenizer_class": "BlenderbotTokenizer"})");
  const auto refused = LoadTokenizer(directory.path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("\"BlenderbotTokenizer\""));
}

TEST(LoadTokenizer, NamesADamagedVocabulary) {
  const TemporaryDirectory directory;
  directory.Write("vocab.json", R"({"a": 0)");
  directory.Write("merges.txt", "");
  EXPECT_THAT(LoadTokenizer(directory.path()).error().message, HasSubstr("vocab.json"));
  directory.Write("vocab.json", R"({"a": 0, "b": 1})");
  directory.Write("merges.txt", "a c\n");
  EXPECT_THAT(LoadTokenizer(directory.path()).error().message, HasSubstr("merges[0]"));
}

TEST(LoadTokenizer, NamesADamagedConfiguration) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", TokenizerJson(kLetters));
  directory.Write("tokenizer_config.json", "{\"bos_token\": 3}");
  const auto tokenizer = LoadTokenizer(directory.path());
  ASSERT_FALSE(tokenizer);
  EXPECT_THAT(tokenizer.error().message, HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(tokenizer.error().message, HasSubstr("bos_token"));
}

}  // namespace
}  // namespace couplingd
