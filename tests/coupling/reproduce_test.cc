#include "coupling/reproduce/reproduce.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace couplingd {
namespace {

const PublishedData& Data() {
  static const PublishedData data = *ShippedData();
  return data;
}

std::vector<ReproducedRow> Rows(int id) {
  const auto rows = Reproduce(Data(), {.ids = {id}});
  EXPECT_TRUE(rows) << rows.error().Text();
  return rows ? *rows : std::vector<ReproducedRow>{};
}

double Recomputed(const std::vector<ReproducedRow>& rows, std::string_view quantity) {
  for (const ReproducedRow& row : rows) {
    if (row.quantity.find(quantity) != std::string::npos) return row.recomputed.value_or(NAN);
  }
  ADD_FAILURE() << "no quantity " << quantity;
  return NAN;
}

// A bootstrap figure is to be reached within 2 %.
#define EXPECT_WITHIN_2_PERCENT(value, expected) \
  EXPECT_NEAR((value), (expected), 0.02 * std::abs(expected))

TEST(Reproduce, EveryRowSaysWhatItRestsOn) {
  const auto rows = Reproduce(Data(), {.replicates = 1000});
  ASSERT_TRUE(rows) << rows.error().Text();
  EXPECT_TRUE(std::ranges::is_sorted(*rows, {}, &ReproducedRow::id));
  for (const ReproducedRow& row : *rows) {
    EXPECT_FALSE(row.quantity.empty()) << row.id;
    EXPECT_FALSE(row.reason.empty()) << row.id << " " << row.quantity;
    EXPECT_EQ(row.low.has_value(), row.high.has_value()) << row.id << " " << row.quantity;
    if (row.verdict != ReproductionVerdict::kUncheckable) {
      EXPECT_TRUE(row.recomputed) << row.id << " " << row.quantity;
    }
  }
}

TEST(Reproduce, RefusesRowsThatDoNotExist) {
  EXPECT_EQ(Reproduce(Data(), {.ids = {40}}).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(Reproduce(Data(), {.replicates = 10}).error().kind, ErrorKind::kUsage);
}

TEST(Reproduce, TheSameSeedGivesTheSameBits) {
  const ReproduceOptions options{.ids = {2, 3}, .replicates = 1000, .seed = 7};
  const auto once = Reproduce(Data(), options), again = Reproduce(Data(), options);
  for (std::size_t k = 0; k < once->size(); ++k) {
    EXPECT_EQ((*once)[k].recomputed, (*again)[k].recomputed);
  }
}

TEST(Reproduce, Row1PythiaCorrelation) {
  const auto rows = Rows(1);
  EXPECT_NEAR(*rows[0].recomputed, -0.989, 0.0005);
  EXPECT_NEAR(*rows[1].recomputed, 3.65e-6, 0.005e-6);  // printed cut off, as 3.6e-6
}

TEST(Reproduce, Row2TurnOfTheFourteen) {
  const auto rows = Rows(2);
  EXPECT_WITHIN_2_PERCENT(Recomputed(rows, "median"), 3.49e9);
  EXPECT_WITHIN_2_PERCENT(Recomputed(rows, "low end, 95 %"), 2.92e9);
  EXPECT_WITHIN_2_PERCENT(Recomputed(rows, "low end, 68 %"), 3.15e9);
  EXPECT_WITHIN_2_PERCENT(Recomputed(rows, "high end, 68 %"), 4.33e9);
}

TEST(Reproduce, Row3LineOverTheFourteen) {
  const auto rows = Rows(3);
  EXPECT_NEAR(Recomputed(rows, "slope"), 0.743, 0.0005);
  EXPECT_NEAR(Recomputed(rows, "intercept"), -7.185, 0.0005);
  EXPECT_NEAR(Recomputed(rows, ": N_c") / 1e9, 4.73, 0.005);
  EXPECT_NEAR(Recomputed(rows, "jackknife") / 1e9, 4.93, 0.005);
  EXPECT_WITHIN_2_PERCENT(Recomputed(rows, "bootstrap median"), 4.41e9);
}

}  // namespace
}  // namespace couplingd
