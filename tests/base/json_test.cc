#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace couplingd {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const std::string& text, const JsonLimits& limits = {}) {
  const auto parsed = ParseJson(text, "a.json", limits);
  return parsed ? "" : parsed.error().message;
}

TEST(ParseJson, ReadsTheNanAndInfinityLiteralsThatTrainersWrite) {
  const auto parsed = ParseJson(R"({"loss": NaN, "low": -Infinity, "high": Infinity})", "a.json");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(std::isnan((*parsed)["loss"].GetDouble()));
  EXPECT_EQ((*parsed)["low"].GetDouble(), -INFINITY);
}

TEST(ParseJson, RefusesAKeyThatStandsTwice) {
  EXPECT_THAT(ErrorOf(R"({"a": 1, "b": {"c": 1}, "a": 2})"), HasSubstr("\"a\" stands twice"));
  EXPECT_EQ(ErrorOf(R"({"a": {"x": 1}, "b": {"x": 1}})"), "");
}

TEST(ParseJson, RefusesDeepNestingWithoutOverflowingTheStack) {
  EXPECT_THAT(ErrorOf(std::string(1000000, '[')), HasSubstr("nested deeper than 64"));
  EXPECT_EQ(ErrorOf("[[1]]", {.max_depth = 2}), "");
  EXPECT_THAT(ErrorOf("[[1]]", {.max_depth = 1}), HasSubstr("nested deeper than 1"));
}

TEST(ParseJson, NamesLineAndColumnOfAnError) {
  EXPECT_THAT(ErrorOf("{\n  \"a\": ,\n}"), HasSubstr("a.json: line 2, column"));
}

TEST(ParseJson, RefusesWhatIsLargerThanTheLimitOrNotUtf8) {
  EXPECT_THAT(ErrorOf("[1, 2, 3]", {.max_bytes = 4}), HasSubstr("at most 4"));
  EXPECT_NE(ErrorOf("\"\xff\xfe\""), "");
}

TEST(ParseJson, DoesNotTakeANulByteForTheEnd) {
  EXPECT_THAT(ErrorOf(std::string("{}\0garbage", 10)), HasSubstr("column 3: a NUL byte"));
}

TEST(ParseJson, PassesOverAByteOrderMark) { EXPECT_EQ(ErrorOf("\xEF\xBB\xBF{}"), ""); }

TEST(Fields, NameSourceFieldAndExpectedTypeWhenTheyAreWrong) {
  const auto parsed = ParseJson(R"({"n": "one", "x": 1.5, "none": null, "whole": 3.0})", "a.json");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(GetInt(*parsed, "n", "a.json").error().message,
            "a.json: field \"n\" must be an integer");
  EXPECT_EQ(GetInt(*parsed, "x", "a.json").error().message,
            "a.json: field \"x\" must be an integer");
  EXPECT_EQ(GetInt(*parsed, "y", "a.json").error().message, "a.json: field \"y\" is missing");
  EXPECT_EQ(GetInt(*parsed, "whole", "a.json").value(), 3);
  EXPECT_EQ(FindString(*parsed, "none", "a.json").value(), std::nullopt);
}

TEST(JsonWriter, WritesWhatTheParserReadsBackAndNullForNumbersThatAreNone) {
  JsonWriter json;
  json.BeginObject()
      .Field("text", "a\"\n\xff")
      .Field("nan", std::nan(""))
      .Field("whole", std::int64_t{1} << 60);
  json.Field("absent", std::optional<double>())
      .Key("list")
      .BeginArray()
      .Value(0.1)
      .Value(true)
      .EndArray()
      .EndObject();
  const auto parsed = ParseJson(json.Text(), "written");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_STREQ((*parsed)["text"].GetString(), "a\"\n\xEF\xBF\xBD");
  EXPECT_TRUE((*parsed)["nan"].IsNull());
  EXPECT_TRUE((*parsed)["absent"].IsNull());
  EXPECT_EQ((*parsed)["whole"].GetInt64(), std::int64_t{1} << 60);
  EXPECT_EQ((*parsed)["list"][0].GetDouble(), 0.1);
}

TEST(ToValidUtf8, KeepsValidTextAndReplacesEveryBadByte) {
  EXPECT_EQ(ToValidUtf8("aé漢😀"), "aé漢😀");
  EXPECT_EQ(ToValidUtf8("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // overlong
  EXPECT_EQ(ToValidUtf8("\xED\xA0\x80").size(), 9u);               // surrogate
  EXPECT_EQ(ToValidUtf8("\xE6\xBC"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // cut short
}

}  // namespace
}  // namespace couplingd
