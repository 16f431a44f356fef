#include "coupling/frontier/frontier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "coupling/frontier/predictions.h"

namespace couplingd {
namespace {

constexpr std::string_view kHeader = "name,lab,date,x,y\n";

Result<FrontierTable> Read(const std::string& rows, FrontierColumns columns = {}) {
  return ReadFrontierTable(std::string(kHeader) + rows, "own.csv", columns);
}

std::string ErrorOf(const std::string& rows, FrontierColumns columns = {}) {
  const auto table = Read(rows, columns);
  return table ? "" : table.error().Text();
}

TEST(FrontierTable, NamesFileLineFieldAndCauseOfEveryMistake) {
  EXPECT_EQ(ErrorOf("A,L,2025-01,0.5,0.6\nA,L,2025-02,0.5,0.6\n"),
            "own.csv:3: field \"name\": \"A\" stands twice");
  EXPECT_EQ(ErrorOf("A,,2025-01,0.5,0.6\n"), "own.csv:2: field \"lab\": is empty");
  EXPECT_EQ(ErrorOf("A,L,2025-13,0.5,0.6\n"),
            "own.csv:2: field \"date\": \"2025-13\" is none of 2025, 2025-04 and 2025-04-16");
  EXPECT_EQ(ErrorOf("A,L,2025-01,high,0.6\n"), "own.csv:2: field \"x\": \"high\" is no number");
  EXPECT_EQ(ErrorOf("A,L,2025-01,50,60\n"),
            "own.csv:2: field \"x\": 50 is outside 0 to 1 (scores are fractions; --percent reads "
            "percent)");
  EXPECT_EQ(ErrorOf("A,L,2025-01,nan,0.6\n"),
            "own.csv:2: field \"x\": nan is outside 0 to 1 "
            "(scores are fractions; --percent reads percent)");
  EXPECT_NE(ErrorOf("A,L,2025-01,0.5,0.6\n", {.x = "swe"}).find("swe"), std::string::npos);
}

TEST(FrontierTable, ReadsPercentAndOtherColumns) {
  const auto table = ReadFrontierTable("swe,lab,name,gpqa\n50,L,A,60\n", "own.csv",
                                       {.x = "swe", .y = "gpqa", .percent = true});
  ASSERT_TRUE(table) << table.error().Text();
  EXPECT_DOUBLE_EQ(table->models[0].x, 0.5);
  EXPECT_DOUBLE_EQ(table->models[0].y, 0.6);
  EXPECT_FALSE(table->models[0].year);
}

TEST(FrontierTable, ADateIsAPlaceInItsYear) {
  EXPECT_DOUBLE_EQ(**ParseReleaseDate("2025-01"), 2025 + 0.5 / 12);
  EXPECT_DOUBLE_EQ(**ParseReleaseDate("2025-12-31"), 2025 + (11 + 30.5 / 31) / 12);
  EXPECT_FALSE(*ParseReleaseDate("2025"));
  EXPECT_FALSE(*ParseReleaseDate(""));
  for (const char* bad : {"25", "2025-", "2025-4", "2025/04", "2025-04-", "2025-04-32", "2025-00",
                          "2025-04-1x", "april"})
    EXPECT_FALSE(ParseReleaseDate(bad)) << bad;
}

TEST(Frontier, RefusesFewerThanFourModels) {
  const auto table = Read("A,L,2025-01,0.5,0.6\nB,L,2025-02,0.6,0.6\nC,M,2025-03,0.7,0.6\n");
  ASSERT_TRUE(table);
  const auto report = AnalyseFrontier(*table, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::kInvalidData);
}

TEST(Frontier, SaysWhyThereIsNoControlWithoutDates) {
  const auto table =
      Read("A,L,,0.5,0.6\nB,L,,0.6,0.65\nC,M,2025,0.7,0.6\nD,M,2025,0.8,0.85\nE,N,2025,0.3,0.5\n");
  ASSERT_TRUE(table);
  const auto report = AnalyseFrontier(*table, {.replicates = 1000});
  ASSERT_TRUE(report) << report.error().Text();
  EXPECT_FALSE(report->given_date);
  EXPECT_FALSE(report->given_date_reason.empty());
  EXPECT_FALSE(report->holdout);  // no lab of three
  EXPECT_FALSE(report->later);
}

// A model is called above or below only outside the interval for one more model.
TEST(Frontier, LabelsNothingWithinChance) {
  std::string rows;
  for (int i = 0; i < 20; ++i) {
    rows += "m" + std::to_string(i) + ",L" + std::to_string(i % 4) + ",2025-01," +
            std::to_string(0.3 + 0.02 * i) + "," +
            std::to_string(0.5 + 0.01 * i + (i % 2 ? 0.02 : -0.02)) + "\n";
  }
  rows += "far,L0,2025-01,0.5,0.95\n";
  const auto table = Read(rows);
  ASSERT_TRUE(table) << table.error().Text();
  const auto report = AnalyseFrontier(*table, {.replicates = 1000});
  ASSERT_TRUE(report);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(report->models[i].side, FrontierSide::kWithin);
  EXPECT_EQ(report->models[20].side, FrontierSide::kAbove);
}

TEST(ShippedFrontier, GivesTheFieldsThatWerePublished) {
  const auto data = ShippedFrontier();
  ASSERT_TRUE(data) << data.error().Text();
  const auto report = AnalyseFrontier(data->table, {.replicates = 2000});
  ASSERT_TRUE(report) << report.error().Text();
  EXPECT_NEAR(report->line.slope, 0.5131, 5e-5);
  EXPECT_NEAR(100 * report->line.intercept, 46.380, 5e-4);
  EXPECT_NEAR(report->correlation.r, 0.7235, 5e-5);
  for (std::size_t i = 0; i < data->table.models.size(); ++i) {
    const FrontierModel& model = data->table.models[i];
    EXPECT_NEAR(report->models[i].h, *model.h_published, 0.0015) << model.name;
    EXPECT_FALSE(model.source.empty()) << model.name;
  }
  const auto outside = std::ranges::count_if(
      report->models, [](const ModelField& field) { return field.side != FrontierSide::kWithin; });
  EXPECT_EQ(outside, 1);  // Claude 3.5 Haiku
}

TEST(ShippedFrontier, ExplainsEveryFlawAndJudgesEveryPrediction) {
  const auto data = ShippedFrontier();
  ASSERT_TRUE(data);
  for (const FrontierModel& model : data->table.models) {
    for (const std::string& flaw : model.flaws)
      EXPECT_NE(std::ranges::find(data->flaws, flaw, &FrontierFlaw::name), data->flaws.end())
          << model.name << ": " << flaw;
  }
  const auto report = AnalyseFrontier(data->table, {.replicates = 1000});
  ASSERT_TRUE(report);
  const auto standings = JudgePredictions(*data, *report);
  ASSERT_TRUE(standings) << standings.error().Text();
  ASSERT_EQ(standings->size(), 7u);
  const std::vector<PredictionState> wanted = {PredictionState::kFails,   PredictionState::kBetween,
                                               PredictionState::kBetween, PredictionState::kNoData,
                                               PredictionState::kPasses,  PredictionState::kNoData,
                                               PredictionState::kNoData};
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ((*standings)[i].state, wanted[i]) << (*standings)[i].evidence;
    EXPECT_FALSE((*standings)[i].evidence.empty());
  }
}

// Against the file that the table was taken from, where it is at hand.
TEST(ShippedFrontier, HoldsTheOriginalsScores) {
  const std::string folder = COUPLINGD_SOURCE_DIR "/../shared/data/panel/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the original data is not at hand";
  const auto data = ShippedFrontier();
  ASSERT_TRUE(data);
  std::size_t seen = 0;
  for (const char* file : {"frontier_34models.json", "post_cutoff_april2026.json"}) {
    const auto json = ParseJsonFile(folder + file);
    ASSERT_TRUE(json) << json.error().Text();
    for (const JsonValue& model : (*json)["models"].GetArray()) {
      const auto row =
          std::ranges::find(data->table.models, model["name"].GetString(), &FrontierModel::name);
      ASSERT_NE(row, data->table.models.end()) << model["name"].GetString();
      EXPECT_EQ(row->lab, model["lab"].GetString());
      EXPECT_NEAR(100 * row->x, model["swe"].GetDouble(), 1e-9);
      EXPECT_NEAR(100 * row->y, model["gpqa"].GetDouble(), 1e-9);
      ++seen;
    }
  }
  EXPECT_EQ(seen, data->table.models.size());
}

}  // namespace
}  // namespace couplingd
