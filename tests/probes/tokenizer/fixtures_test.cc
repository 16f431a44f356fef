#include "tests/probes/tokenizer/fixtures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace couplingd {
namespace {

std::vector<TokenId> IdsOf(const JsonValue& list) {
  std::vector<TokenId> ids;
  for (const JsonValue& id : list.GetArray()) ids.push_back(id.GetInt());
  return ids;
}

class FixtureTest : public testing::TestWithParam<const char*> {
 protected:
  const std::string name_ = GetParam();
  const std::unique_ptr<Tokenizer> tokenizer_ = Unwrap(LoadTokenizer(TokenizerData(name_)));
  const JsonDocument expected_ = ReadFixture(name_ + "/expected.json");
  const std::vector<std::string> texts_ = FixtureTexts();
};

TEST_P(FixtureTest, GivesTheIdsOfTheReference) {
  ASSERT_EQ(texts_.size(), expected_.Size());
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const JsonValue& row = expected_[static_cast<rapidjson::SizeType>(i)];
    if (row.IsNull()) continue;  // the versions of the reference do not agree
    EXPECT_EQ(EncodeOrFail(*tokenizer_, texts_[i]), IdsOf(row["ids"]))
        << "text " << i << ": " << texts_[i];
    const JsonValue* special = FindMember(row, "special_ids");
    EXPECT_EQ(EncodeOrFail(*tokenizer_, texts_[i], true), IdsOf(special ? *special : row["ids"]))
        << "with special tokens, text " << i << ": " << texts_[i];
  }
}

TEST_P(FixtureTest, DecodesAsTheReference) {
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const JsonValue& row = expected_[static_cast<rapidjson::SizeType>(i)];
    // null: what the versions of the reference do not agree on.
    if (row.IsNull()) continue;
    if (row.HasMember("decoded") && row["decoded"].IsNull()) continue;
    const JsonValue* decoded = FindMember(row, "decoded");
    EXPECT_EQ(Unwrap(tokenizer_->Decode(IdsOf(row["ids"]))), decoded ? TextOf(*decoded) : texts_[i])
        << "text " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, FixtureTest,
                         testing::Values("gpt2", "neox", "llama3", "qwen", "smollm2", "llama2",
                                         "gemma", "metaspace", "metaspace_legacy", "falcon",
                                         "bloom", "o200k", "deepseek", "roberta", "affixes",
                                         "words", "plain", "demo", "unigram", "unigram_bytes",
                                         "unigram_precompiled", "gpt2_words", "opt_words",
                                         "qwen_words", "sentencepiece_bpe",
                                         "sentencepiece_unigram"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace couplingd
