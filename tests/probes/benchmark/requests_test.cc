// Token ids and boundaries against lm-eval's own encoder (data/README.md).
#include "probes/benchmark/requests.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "probes/benchmark/json_lines.h"
#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

std::unique_ptr<Tokenizer> Plain() { return Value(LoadTokenizer(Data("tokenizer_plain"))); }

Pack PackOf(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Pack pack{.name = "test", .metrics = {"acc"}};
  PackItem item{.id = "it"};
  for (const auto& [context, continuation] : pairs) {
    item.contexts.push_back(context);
    item.choices.push_back(continuation);
  }
  item.labels.assign(pairs.size(), false);
  pack.items = {item};
  return pack;
}

TEST(EncodeRequests, GivesTheTokensOfLmEval) {
  std::size_t compared = 0;
  const Status read = ForEachLine(
      Data("encodings.jsonl"), [&](const JsonValue& row, const std::string& where) -> Status {
        SCOPED_TRACE(where);
        const auto tokenizer = TRY(LoadTokenizer(Data(row["tokenizer"].GetString())));
        const std::string bos = row["bos"].GetString();
        EncodeOptions options{.max_length = row["max_length"].GetUint()};
        options.bos = bos == "true"    ? BosMode::kTrue
                      : bos == "false" ? BosMode::kFalse
                                       : BosMode::kAuto;
        std::vector<std::pair<std::string, std::string>> pairs;
        for (const JsonValue& request : row["requests"].GetArray()) {
          pairs.emplace_back(request["context"].GetString(), request["continuation"].GetString());
        }
        const auto requests = TRY(EncodeRequests(PackOf(pairs), *tokenizer, options));
        for (std::size_t i = 0; i < requests.size(); ++i) {
          const JsonValue& expected = row["requests"][static_cast<rapidjson::SizeType>(i)];
          std::vector<TokenId> tokens;
          for (const JsonValue& id : expected["tokens"].GetArray()) tokens.push_back(id.GetInt());
          EXPECT_EQ(requests[i].tokens, tokens) << pairs[i].first << "|" << pairs[i].second;
          EXPECT_EQ(requests[i].scored_from, expected["scored_from"].GetUint()) << pairs[i].first;
          ++compared;
        }
        return {};
      });
  ASSERT_TRUE(read) << read.error().Text();
  EXPECT_EQ(compared, 180u);
}

TEST(EncodeRequests, KeepsTheContextWhereATokenCrossesTheBoundary) {
  const auto tokenizer = Plain();
  const auto requests = Value(EncodeRequests(
      PackOf({{"The quest", "ion is what it was"}, {"The answer", " is"}}), *tokenizer, {}));
  const auto whole = Value(tokenizer->Encode("The question is what it was", false));
  auto expected = Value(tokenizer->Encode("The quest", false));
  const std::size_t boundary = expected.size();
  ASSERT_NE(whole[boundary - 1], expected.back());
  expected.insert(expected.end(), whole.begin() + boundary, whole.end());
  EXPECT_EQ(requests[0].tokens, expected);
  EXPECT_EQ(requests[0].scored_from, boundary);
}

TEST(EncodeRequests, KeepsTheEndOfWhatIsTooLong) {
  const auto tokenizer = Plain();
  const Pack pack = PackOf({{"the the the the the the", " answer"}, {"the", " answer"}});
  const auto full = Value(EncodeRequests(pack, *tokenizer, {}));
  const auto cut = Value(EncodeRequests(pack, *tokenizer, {.max_length = 3}));
  EXPECT_FALSE(full[0].truncated);
  EXPECT_TRUE(cut[0].truncated);
  ASSERT_EQ(cut[0].tokens.size(), 4u);
  EXPECT_TRUE(std::equal(cut[0].tokens.begin(), cut[0].tokens.end(), full[0].tokens.end() - 4));
  EXPECT_EQ(cut[0].tokens.size() - cut[0].scored_from, full[0].tokens.size() - full[0].scored_from);
}

TEST(EncodeRequests, NamesTheItemThatCannotBeScored) {
  const auto tokenizer = Plain();
  const std::pair<Pack, std::string> cases[] = {
      {PackOf({{"the", " answer"}, {"the", " answer was the question of the answer"}}),
       "item \"it\", choice 1: the continuation has 7 tokens, the model takes 3"},
      {PackOf({{"  ", "the"}, {"the", "the"}}), "choice 0: the context has no tokens"},
      {PackOf({{"", "<s>"}, {"the", "the"}}),
       "choice 0: the continuation has no tokens of its own"},
  };
  for (const auto& [pack, cause] : cases) {
    const auto requests = EncodeRequests(pack, *tokenizer, {.max_length = 3});
    ASSERT_FALSE(requests);
    EXPECT_THAT(requests.error().message, HasSubstr(cause));
  }
}

TEST(MakePlan, CountsCharactersBytesAndTokensOfEachChoice) {
  Pack pack = PackOf({{"the", "größer"}, {"the", "answer"}});
  pack.delimiter = " ";
  pack.items[0].labels = {true, false};
  pack.items[0].cluster = "words";
  const auto requests = Value(EncodeRequests(pack, *Plain(), {}));
  const TaskPlan plan = MakePlan(pack, requests);
  EXPECT_EQ(plan.task, "test");
  EXPECT_EQ(plan.items[0].cluster, "words");
  const ChoiceInfo& choice = plan.items[0].choices[0];
  EXPECT_EQ(choice.characters, 6u);
  EXPECT_EQ(choice.bytes, 8u);
  EXPECT_EQ(choice.tokens, requests[0].tokens.size() - requests[0].scored_from);
  EXPECT_TRUE(choice.is_true);
}

}  // namespace
}  // namespace couplingd
