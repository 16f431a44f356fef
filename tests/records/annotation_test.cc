#include "records/annotation.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

Finding Fall() {
  Finding finding;
  finding.rule = "fell";
  finding.run = "web-1b";
  finding.severity = Severity::kCritical;
  finding.labels = {{"family", "web"}, {"metric", "arc_easy.acc"}};
  finding.values = {{"value", 0.412},   {"drop", 0.031},   {"step", 8000},
                    {"tokens", 16.4e9}, {"gamma", -0.317}, {"waited_seconds", 90}};
  return finding;
}

TEST(Annotation, PutsTheFindingsValuesInPlaceOfFields) {
  EXPECT_EQ(
      FillFields("{rule}/{severity}: {metric} of {run} ({family}) fell by {drop} to {value} at "
                 "step {step}, {tokens} tokens, γ = {gamma}, after {waited}",
                 Fall()),
      "fell/critical: arc_easy.acc of web-1b (web) fell by 3.1 % to 41.2 % at step 8000, 16.4B "
      "tokens, γ = -0.32, after 1m30s");
}

TEST(Annotation, WritesNumbersOfOtherMetricsAsTheyAre) {
  Finding finding = Fall();
  finding.labels["metric"] = "lambada.perplexity";
  finding.values["value"] = 12.3456;
  EXPECT_EQ(FillFields("{value}", finding), "12.3");
  finding.labels.erase("metric");
  finding.values["low"] = 3.4e9;
  EXPECT_EQ(FillFields("{low}", finding), "3.4B");
}

TEST(Annotation, SaysUnknownWhereTheFindingHasNoSuchValue) {
  EXPECT_EQ(FillFields("{sink} {probability} {checkpoint}", Fall()), "unknown unknown unknown");
}

TEST(Annotation, EveryFieldIsReplacedByAFindingThatHasEverything) {
  Finding finding = Fall();
  for (const std::string_view field : AnnotationFields()) {
    finding.labels.emplace(field, "text");
    finding.values.emplace(field, 2);
  }
  finding.subject = "subject";
  for (const std::string_view field : AnnotationFields()) {
    const std::string filled = FillFields("{" + std::string(field) + "}", finding);
    EXPECT_NE(filled, "unknown") << field;
    EXPECT_EQ(filled.find('{'), filled.npos) << field;
    EXPECT_FALSE(UnknownField("{" + std::string(field) + "}")) << field;
  }
}

TEST(Annotation, NamesTheFirstUnknownField) {
  EXPECT_EQ(UnknownField("{run} {Gamma} {x}"), "Gamma");
  EXPECT_EQ(UnknownField("{}"), "");
  EXPECT_FALSE(UnknownField("no field, } and { without an end"));
  EXPECT_EQ(FillFields("} {run", Fall()), "} {run");
}

}  // namespace
}  // namespace couplingd
