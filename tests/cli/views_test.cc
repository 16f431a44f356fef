#include "cli/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cli/object_text.h"
#include "cli/screen_text.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

std::string Table(std::string_view verb, const std::string& rows, std::size_t width = 80) {
  const auto document = ParseJson(rows, "rows");
  return RenderTable(*document, FindView(verb)->layout, width);
}

const std::string kScoreRows =
    R"([{"run":"pythia-70m","family":"pythia","checkpoint":"hf:x","step":1000,"tokens":2097152000,"parameters":70426624,
         "task":"arc_easy","metric":"acc","value":0.3085,"stderr":0.0095,"n":2376},
        {"run":"pythia-70m","family":"pythia","checkpoint":"hf:x","step":143000,"tokens":null,"parameters":null,
         "task":"lambada_openai","metric":"ppl","value":4465.3093,"stderr":null,"n":null}])";

TEST(Views, ScoresAreAlignedAndInPercent) {
  EXPECT_EQ(Table("scores", kScoreRows),
            "run           step  tokens  task            metric   value  ± s.e.     n\n"
            "pythia-70m    1000  2.097B  arc_easy        acc     30.85%   0.95%  2376\n"
            "pythia-70m  143000       —  lambada_openai  ppl       4465       —     —\n");
}

TEST(Views, ReasonsAreWrappedBelowTheirRow) {
  const std::string text = Table(
      "coupling",
      R"([{"family":"f","run":null,"axes":"a.b,c.d","over":"scale","at":1.2e9,"gamma":null,"low":null,"high":null,
           "phase":"undetermined","n":3,"reason":"a coupling over scale needs at least four sizes at matched tokens, and there are three of them"},
          {"family":"f","run":"r","axes":"a.b,c.d","over":"steps","at":500,"gamma":-0.2,"low":-0.31,"high":null,
           "phase":"tax","n":8,"reason":""}])");
  EXPECT_EQ(text,
            "run or family  over     at      γ    interval  phase         n\n"
            "f              scale  1.2B      —           —  undetermined  3\n"
            "    a coupling over scale needs at least four sizes at matched tokens, and there\n"
            "    are three of them\n"
            "r              steps   500  -0.20  [-0.31, ∞]  tax           8\n");
}

TEST(Views, ALongNameIsShortenedInTheMiddle) {
  std::istringstream lines(Table(
      "scores",
      R"([{"run":"a-run-with-a-very-long-name-indeed-that-goes-on","task":"another-very-long-task-name-of-mmlu-pro",
      "metric":"exact_match:strict-match","step":1,"value":0.5}])"));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80u);
}

TEST(Views, NamesCannotSteerTheTerminal) {
  const std::string text =
      Table("runs", "[{\"run\":\"a\\u001b[31mred\\u202e\\n\",\"family\":\"f\"}]");
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_THAT(text, HasSubstr("a\\x1b[31mred\\u{202e}\\x0a"));
}

TEST(Views, CsvFollowsRfc4180) {
  const auto rows = ParseJson(
      R"([{"at":"t","level":"error","subject":"a,b","text":"he said \"no\"\nand left","count":2}])",
      "rows");
  EXPECT_EQ(
      RenderCsv(*rows, FindView("events")->csv_keys),
      "at,level,subject,text,count\r\nt,error,\"a,b\",\"he said \"\"no\"\"\nand left\",2\r\n");
  const auto scores = ParseJson(kScoreRows, "rows");
  EXPECT_THAT(RenderCsv(*scores, FindView("scores")->csv_keys),
              HasSubstr("\r\npythia-70m,pythia,hf:x,143000,,,lambada_openai,ppl,4465.3093,,\r\n"));
}

TEST(Views, JsonStaysOneArray) {
  const auto rows = ParseJson(kScoreRows, "rows");
  const std::string text = RenderJsonRows(*rows);
  const auto again = ParseJson(text, "again");
  ASSERT_TRUE(again);
  EXPECT_TRUE(*again == *rows);
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
}

TEST(Views, StatusShowsHowLongAnEvaluationWillTakeWhereThatIsKnown) {
  const auto status = ParseJson(
      R"({"daemon":{"pid":7,"ready":true,"evaluating":[
          {"run":"a","step":10,"progress":0.43,"seconds_left":3999.6},
          {"run":"b","step":20,"progress":0,"seconds_left":null}]},"problems":[]})",
      "status");
  const std::string text = RenderStatus(*status, 80);
  EXPECT_THAT(text, HasSubstr("evaluating  a step 10: 43%, 1h6m left\n"));
  EXPECT_THAT(text, HasSubstr("evaluating  b step 20: 0%\n"));
}

TEST(Views, StatusShowsProblems) {
  const auto status = ParseJson(
      R"({"store":"/s","config":"/c","runs":2,"checkpoints":{"evaluated":3,"failed":1},"alerts":{},
      "deliveries":{},"last_checkpoint_at":"2026-11-23T14:05:00.123Z","last_evaluation_at":null,
      "problems":[{"at":"2026-11-23T14:05:00.123Z","level":"error","subject":"web","text":"shard truncated","count":3}]})",
      "s");
  const std::string text = RenderStatus(*status, 80);
  EXPECT_THAT(text, HasSubstr("checkpoints 3 evaluated, 1 failed\n"));
  EXPECT_THAT(text, HasSubstr("  2026-11-23 14:05 error web: shard truncated (3 times)\n"));
}

TEST(Views, StatusAndAlertsSayWhatPhaseRulesMayHaveCost) {
  const auto status = ParseJson(
      R"({"false_alarms":{"expected":0.01234,"rules":[{"rule":"tax","rate":0.01,"series":2,
      "estimates":30,"expected":0.0123},{"rule":"b","rate":0.01,"series":1,"estimates":4,
      "expected":0.00004}]}})",
      "s");
  const std::string digest = "at most 0.012 false alarms expected so far, from 34 looks";
  EXPECT_EQ(FalseAlarmText(*status), digest);
  EXPECT_THAT(RenderStatus(*status, 80), HasSubstr("alarm rate  " + digest + "\n"));
  EXPECT_EQ(FalseAlarmText(*ParseJson("[]", "s")), "");
}

TEST(Views, AnAlertThatIsOverSaysWhy) {
  const auto alert = ParseJson(
      R"({"key":"k","sequence":2,"state":"resolved","summary":"s","description":"d",
      "resolution":"The tax phase was left."})",
      "a");
  EXPECT_THAT(RenderAlert(*alert, 80), HasSubstr("why it ended\n  The tax phase was left.\n"));
}

TEST(ScreenText, WrapsAndShortensByColumns) {
  EXPECT_EQ(Wrap("aaa bbb cccccccc", 7), (std::vector<std::string>{"aaa bbb", "ccccccc", "c"}));
  EXPECT_EQ(Shorten("γγγγγγγγ", 5), "γγ…γγ");
  EXPECT_EQ(ToAscii("γ ± — 漢"), "gamma +- - ?");
  EXPECT_EQ(Printable("a\xff"), "a\xEF\xBF\xBD");
}

}  // namespace
}  // namespace couplingd
