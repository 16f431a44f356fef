#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/probes/tokenizer/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

struct Refusal {
  ErrorKind kind;
  std::string_view says;
};

constexpr ErrorKind kDamaged = ErrorKind::kInvalidData;
constexpr ErrorKind kForeign = ErrorKind::kUnsupported;

// Every file of data/bad and how it is refused.
const std::map<std::string, Refusal>& Refusals() {
  static const std::map<std::string, Refusal> refusals = {
      {"added-token-empty", {kDamaged, "added_tokens[0]: the content is empty"}},
      {"added-token-id-disagrees", {kDamaged, "\"a\" has the id 7, but by the vocabulary it is 0"}},
      {"added-token-leaves-a-gap",
       {kDamaged, "\"<s>\" has the id 9, but by the vocabulary it is 3"}},
      {"added-token-negative-id", {kDamaged, "added_tokens[0]: the id -1 is not in"}},
      {"added-token-twice", {kDamaged, "added_tokens[1]: \"<s>\""}},
      {"added-token-without-flags", {kDamaged, "\"single_word\""}},
      {"added-tokens-not-an-array", {kDamaged, "added_tokens must be an array"}},
      {"decoder-unknown", {kForeign, "decoder: the type \"CTC\" is not supported"}},
      {"flag-not-a-boolean", {kDamaged, "\"byte_fallback\""}},
      {"json-nested-too-deep", {kDamaged, "nested deeper"}},
      {"merge-into-unknown-token", {kDamaged, "merges[0]: \"ba\" is not in the vocabulary"}},
      {"merge-not-a-pair", {kDamaged, "merges[0]: must be"}},
      {"merge-of-three", {kDamaged, "merges[0]: must have exactly one blank"}},
      {"merge-of-unknown-part", {kDamaged, "merges[0]: \"c\" is not in the vocabulary"}},
      {"merge-shorter-than-prefix", {kDamaged, "shorter than the prefix"}},
      {"merge-without-blank", {kDamaged, "merges[0]: must have exactly one blank"}},
      {"merges-missing", {kDamaged, "\"merges\" must be an array"}},
      {"metaspace-contradiction", {kDamaged, "\"add_prefix_space\" is false"}},
      {"metaspace-replacement-too-long", {kDamaged, "\"replacement\" must be one character"}},
      {"model-not-an-object", {kDamaged, "model must be an object"}},
      {"model-wordpiece", {kForeign, "model: the type \"WordPiece\" is not supported"}},
      {"no-model", {kDamaged, "field \"model\" is missing"}},
      {"normalizer-nested-unknown", {kForeign, "normalizer.normalizers[1]: the type \"Nmt\""}},
      {"precompiled-cut-short", {kDamaged, "precompiled_charsmap: 8 bytes are no table"}},
      {"precompiled-not-base64", {kDamaged, "precompiled_charsmap is not base64"}},
      {"normalizer-sequence-not-an-array", {kDamaged, "\"normalizers\" must be an array"}},
      {"normalizer-without-type", {kDamaged, "field \"type\" is missing"}},
      {"not-an-object", {kDamaged, "must be an object"}},
      {"not-json", {kDamaged, "line 2"}},
      {"post-processor-unknown", {kForeign, "post_processor: the type \"Elsewhere\""}},
      {"pre-tokenizer-unknown", {kForeign, "pre_tokenizer: the type \"BertPreTokenizer\""}},
      {"regex-backreference", {kForeign, "the escape \\1"}},
      {"regex-backward-range", {kDamaged, "a range that runs backwards"}},
      {"regex-class-nested-too-deep", {kForeign, "classes nested that deep"}},
      {"regex-nested-too-deep", {kForeign, "groups nested that deep"}},
      {"regex-recursion", {kForeign, "the escape \\g"}},
      {"regex-repeats-nothing", {kDamaged, "a repetition of nothing"}},
      {"regex-start-verb", {kForeign, "a callout"}},
      {"regex-too-large", {kForeign, "too large"}},
      {"regex-unclosed-class", {kDamaged, "a [ without ]"}},
      {"regex-unclosed-group", {kDamaged, "a ( without )"}},
      {"regex-unknown-property", {kForeign, "unknown property"}},
      {"replace-without-pattern", {kDamaged, "\"pattern\" must be an object"}},
      {"roberta-without-separator", {kDamaged, "\"sep\" must be [token, id]"}},
      {"split-behavior-unknown", {kForeign, "the split behavior \"Sideways\""}},
      {"strip-decoder-negative", {kDamaged, "must not be negative"}},
      {"template-id-outside-vocabulary", {kDamaged, "adds the token 40"}},
      {"template-names-unknown-token", {kDamaged, "the template uses \"<s>\""}},
      {"template-uses-second-text", {kForeign, "nor the Sequence A"}},
      {"unigram-score-not-a-number", {kDamaged, "vocab[1] must be [\"token\", score]"}},
      {"unigram-token-twice", {kDamaged, "\"a\" stands twice"}},
      {"unigram-unknown-outside-vocabulary", {kDamaged, "unk_id 2 is not in the vocabulary"}},
      {"unigram-vocabulary-not-an-array", {kDamaged, "\"vocab\" must be an array"}},
      {"version-unknown", {kForeign, "the version \"2.0\""}},
      {"vocabulary-empty", {kDamaged, "the vocabulary is empty"}},
      {"vocabulary-id-huge", {kDamaged, "\"a\" has the id 99999999999"}},
      {"vocabulary-id-negative", {kDamaged, "\"a\" has the id -1"}},
      {"vocabulary-id-not-an-integer", {kDamaged, "the id of \"a\" must be an integer"}},
      {"vocabulary-id-past-64-bits", {kDamaged, "the id of \"a\" must be an integer"}},
      {"vocabulary-id-twice", {kDamaged, "both have the id 0"}},
      {"vocabulary-lone-surrogate", {kDamaged, "surrogate"}},
      {"vocabulary-missing", {kDamaged, "\"vocab\" must be an object"}},
      {"vocabulary-token-twice", {kDamaged, "\"a\" stands twice"}},
  };
  return refusals;
}

TEST(BadTokenizerFiles, AreEachRefusedWithTheirReason) {
  for (const auto& [name, refusal] : Refusals()) {
    const std::string path = TokenizerData("bad/" + name + ".json");
    const auto tokenizer = ParseTokenizer(Unwrap(ReadFile(path)), "", path);
    ASSERT_FALSE(tokenizer) << name << " was taken";
    EXPECT_EQ(tokenizer.error().kind, refusal.kind) << name << ": " << tokenizer.error().Text();
    EXPECT_THAT(tokenizer.error().message, HasSubstr(refusal.says)) << name;
    EXPECT_THAT(tokenizer.error().message, HasSubstr(path));
  }
}

TEST(BadTokenizerFiles, AreAllInTheTable) {
  for (const std::string& file : Unwrap(ListDirectory(TokenizerData("bad")))) {
    EXPECT_TRUE(Refusals().contains(file.substr(0, file.rfind('.')))) << file;
  }
}

TEST(BadTokenizerFiles, NameWhatIsSupportedInstead) {
  const std::string path = TokenizerData("bad/pre-tokenizer-unknown.json");
  const auto tokenizer = ParseTokenizer(Unwrap(ReadFile(path)), "", path);
  ASSERT_FALSE(tokenizer);
  EXPECT_THAT(tokenizer.error().hint, HasSubstr("ByteLevel, Split, Digits"));
}

// Every prefix of a good file, and the file with each
// byte changed: an answer or an error, never a crash.
TEST(BadTokenizerFiles, SurviveDamageAnywhere) {
  const std::string whole = Unwrap(ReadFile(TokenizerData("small.json")));
  ASSERT_TRUE(ParseTokenizer(whole, "", "whole"));
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    EXPECT_FALSE(ParseTokenizer(whole.substr(0, size), "", "cut")) << size;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char byte : {'\0', '"', '{', ']', '9', '-', '\x80', '\xFF'}) {
      std::string changed = whole;
      changed[i] = byte;
      const auto tokenizer = ParseTokenizer(changed, "", "changed");
      if (!tokenizer) continue;
      EXPECT_TRUE((*tokenizer)->Encode("ab <s> \u00e9", true)) << i;
    }
  }
}

}  // namespace
}  // namespace couplingd
