#include "records/matcher.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

bool Match(const std::string& text, const Labels& labels) {
  const auto matcher = Matcher::Parse(text);
  EXPECT_TRUE(matcher) << matcher.error().Text();
  return matcher && matcher->Matches(labels);
}

TEST(Matcher, ComparesTextsAndWholeRegexes) {
  const Labels labels = {{"run", "web-1b"}, {"axes", "a.acc,b.acc"}};
  EXPECT_TRUE(Match("run=web-1b", labels));
  EXPECT_TRUE(Match("run = \"web-1b\"", labels));
  EXPECT_FALSE(Match("run=web", labels));
  EXPECT_TRUE(Match("run!=web", labels));
  EXPECT_FALSE(Match("run!=web-1b", labels));
  EXPECT_TRUE(Match("run=~web-.*", labels));
  EXPECT_FALSE(Match("run=~web", labels));
  EXPECT_FALSE(Match("run=~web|1b", labels));
  EXPECT_TRUE(Match("run!~web", labels));
  EXPECT_TRUE(Match("axes=~a[.]acc,.*", labels));
}

TEST(Matcher, ReadsAnAbsentLabelAsTheEmptyText) {
  EXPECT_TRUE(Match("run=", {}));
  EXPECT_TRUE(Match("run!=a", {}));
  EXPECT_TRUE(Match("run=~.*", {}));
  EXPECT_FALSE(Match("run=~.+", {}));
}

TEST(Matcher, RefusesWhatIsNoCondition) {
  for (const char* text : {"", "run", "=a", "run!a", "a b=c", "run=~(", "run!~[z-a]"}) {
    const auto matcher = Matcher::Parse(text);
    ASSERT_FALSE(matcher) << text;
    EXPECT_EQ(matcher.error().kind, ErrorKind::kUsage) << text;
  }
}

TEST(Matcher, DoesNotMatchWhereARegexExceedsItsLimits) {
  const std::string value(80, 'a');
  EXPECT_FALSE(Match("run=~(a|aa)+[bc]", {{"run", value}}));
  EXPECT_FALSE(Match("run!~(a|aa)+[bc]", {{"run", value}}));
}

}  // namespace
}  // namespace couplingd
