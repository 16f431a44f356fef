#include "cli/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace couplingd {
namespace {

using ::testing::HasSubstr;

Result<GateResult> OnScores(const std::string& rule, const std::string& rows) {
  const Gate gate = TRY(ParseGate(rule));
  const JsonDocument document = TRY(ParseJson(rows, "rows"));
  return GateScores(gate, document);
}
Result<GateResult> OnCoupling(const std::string& rule, const std::string& rows) {
  const Gate gate = TRY(ParseGate(rule));
  const JsonDocument document = TRY(ParseJson(rows, "rows"));
  return GateCoupling(gate, document);
}

const std::string kScores =
    R"([{"task":"arc_easy","metric":"acc","value":0.5,"stderr":0.01,"n":2376},
        {"task":"mc","metric":"acc","value":0.4,"stderr":null,"n":null}])";

TEST(Gate, ComparesTheIntervalAndNotThePoint) {
  EXPECT_EQ(OnScores("arc_easy.acc>=0.45", kScores)->verdict, Verdict::kHolds);
  EXPECT_EQ(OnScores("arc_easy.acc>=0.55", kScores)->verdict, Verdict::kDoesNotHold);
  EXPECT_EQ(OnScores("arc_easy.acc>=0.49", kScores)->verdict, Verdict::kUndetermined);
  EXPECT_EQ(OnScores("arc_easy.acc < 51%", kScores)->verdict, Verdict::kUndetermined);
  EXPECT_EQ(OnScores("mc.acc>=0.40", kScores)->verdict, Verdict::kHolds);
  EXPECT_EQ(OnScores("mc.acc>0.40", kScores)->verdict, Verdict::kDoesNotHold);
}

TEST(Gate, AllTermsMustHoldAndAFailureOutweighsDoubt) {
  EXPECT_EQ(OnScores("arc_easy.acc>=0.45 && mc.acc>=0.3", kScores)->verdict, Verdict::kHolds);
  EXPECT_EQ(OnScores("arc_easy.acc>=0.49, mc.acc>=0.3", kScores)->verdict, Verdict::kUndetermined);
  EXPECT_EQ(OnScores("arc_easy.acc>=0.49,mc.acc>=0.9", kScores)->verdict, Verdict::kDoesNotHold);
  EXPECT_EQ(OnScores("mc.acc>=0.9,arc_easy.acc>=0.49", kScores)->verdict, Verdict::kDoesNotHold);
}

TEST(Gate, LooksAtTheNewestEstimateOfEveryRun) {
  const std::string rows =
      R"([{"family":"f","run":"a","axes":"x","at":100,"gamma":-0.5,"low":-0.6,"high":-0.4,"phase":"tax"},
          {"family":"f","run":"a","axes":"x","at":200,"gamma":0.5,"low":0.4,"high":0.6,"phase":"bonus"}])";
  EXPECT_EQ(OnCoupling("phase!=tax", rows)->verdict, Verdict::kHolds);
  EXPECT_EQ(OnCoupling("gamma>-0.1", rows)->verdict, Verdict::kHolds);
  EXPECT_EQ(OnCoupling("gamma>0.45", rows)->verdict, Verdict::kUndetermined);
  EXPECT_EQ(OnCoupling("phase==tax", rows)->verdict, Verdict::kDoesNotHold);
}

TEST(Gate, LeavesOpenWhatTheDataLeaveOpen) {
  const std::string open =
      R"([{"family":"f","run":"a","axes":"x","at":1,"gamma":0.2,"low":null,"high":0.9,"phase":"undetermined"}])";
  EXPECT_EQ(OnCoupling("phase!=tax", open)->verdict, Verdict::kUndetermined);
  EXPECT_EQ(OnCoupling("gamma>-0.1", open)->verdict, Verdict::kUndetermined);
  EXPECT_EQ(OnCoupling("gamma<1", open)->verdict, Verdict::kHolds);
  EXPECT_EQ(OnCoupling("gamma<1", R"([{"family":"f","run":null,"axes":"x","at":1,"gamma":null}])")
                ->verdict,
            Verdict::kUndetermined);
  EXPECT_EQ(OnCoupling("gamma<1", "[]")->verdict, Verdict::kUndetermined);
}

TEST(Gate, NamesWhatItDoesNotUnderstand) {
  for (const auto& [rule, cause] :
       std::vector<std::pair<std::string, std::string>>{{"", "no comparison"},
                                                        {"arc.acc", "no comparison"},
                                                        {"arc.acc=>1", "is no comparison"},
                                                        {"arc.acc>=x", "is no number"},
                                                        {"arc.acc==0.5", "compared with >="},
                                                        {"acc>=1", "neither gamma"},
                                                        {"phase>tax", "== or !="},
                                                        {"phase!=taxes", "phases are"},
                                                        {"gamma>0,", "no comparison"}}) {
    const auto gate = ParseGate(rule);
    ASSERT_FALSE(gate) << rule;
    EXPECT_EQ(gate.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(gate.error().message, HasSubstr(cause)) << rule;
  }
  EXPECT_THAT(OnScores("arc.acc>=1", kScores).error().Text(),
              HasSubstr("there are arc_easy.acc, mc.acc"));
  EXPECT_FALSE(OnCoupling("arc.acc>=1", "[]"));
}

}  // namespace
}  // namespace couplingd
