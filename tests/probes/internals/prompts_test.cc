#include "probes/internals/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace couplingd {
namespace {

using testing::HasSubstr;

double MeanWords(const std::vector<std::string>& texts) {
  double words = 0;
  for (const std::string& text : texts) words += 1 + std::ranges::count(text, ' ');
  return words / static_cast<double>(texts.size());
}

TEST(Prompts, TheBuiltInSetIsLargeDistinctAndMatchedInLength) {
  const PromptSet set = BuiltInPrompts().value();
  EXPECT_EQ(set.name, "contrast-1");
  EXPECT_EQ(set.hash.size(), 32u);
  for (const auto* texts : {&set.reasoning, &set.truthfulness, &set.neutral}) {
    EXPECT_GE(texts->size(), 50u);
    EXPECT_EQ(std::set(texts->begin(), texts->end()).size(), texts->size());
    for (const std::string& text : *texts) EXPECT_TRUE(text.ends_with(set.suffix));
  }
  EXPECT_NEAR(MeanWords(set.reasoning), MeanWords(set.truthfulness), 1.0);
  EXPECT_NEAR(MeanWords(set.neutral), MeanWords(set.truthfulness), 1.0);
  EXPECT_GE(set.statements.size(), 50u);
  EXPECT_GE(set.truth_items.items.size(), 50u);
  EXPECT_GE(set.reasoning_items.items.size(), 50u);
}

TEST(Prompts, HeldOutItemsDoNotRepeatTheStatementsOfTheDirection) {
  const PromptSet set = BuiltInPrompts().value();
  std::set<std::string> seen;
  for (const StatementPair& pair : set.statements) {
    EXPECT_NE(pair.true_one, pair.false_one);
    seen.insert(pair.true_one);
    seen.insert(pair.false_one);
  }
  for (const PackItem& item : set.truth_items.items) {
    for (const std::string& choice : item.choices) EXPECT_FALSE(seen.contains(choice)) << choice;
  }
}

TEST(Prompts, ErrorsNameTheFieldAndTheEntry) {
  const auto parse = [](std::string_view json) { return ParsePromptSet(json, "p.json"); };
  const auto empty = parse(R"({"name":"n","version":"1","suffix":"","reasoning":[]})");
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("p.json: field \"reasoning\""));
  const auto wrong = parse(R"({"name":"n","version":"1","suffix":"","reasoning":["a",""]})");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("reasoning[1]"));
}

}  // namespace
}  // namespace couplingd
