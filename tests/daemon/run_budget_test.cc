#include "daemon/run_budget.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace couplingd {
namespace {

class RunBudgetTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/couplingd-budget-XXXXXX";
    directory_ = ::mkdtemp(name);
    auto history = HistoryWriter::Open(directory_, clock_);
    ASSERT_TRUE(history) << history.error().Text();
    history_ = *std::move(history);
  }
  void TearDown() override {
    history_.reset();
    std::filesystem::remove_all(directory_);
  }

  static EvaluationConfig Config(const std::string& budget, std::uint64_t seed = 1) {
    EvaluationConfig config;
    config.budget = ParseItemBudget(budget).value();
    config.seed = seed;
    return config;
  }
  RunBudget Of(const std::string& run, const EvaluationConfig& config) {
    return BudgetOf(history_->reader(), config, run).value();
  }
  void Settle(const std::string& run, const EvaluationConfig& config,
              std::optional<std::int64_t> items) {
    WorkerResult result;
    result.items = items;
    ASSERT_TRUE(SettleBudget(*history_, config, run, result));
  }

  const ManualClock clock_{1700000000000};
  std::string directory_;
  std::unique_ptr<HistoryWriter> history_;
};

TEST_F(RunBudgetTest, ATimeIsAskedUntilTheFirstEvaluationAndItsItemsFromThenOn) {
  const EvaluationConfig config = Config("60s");
  EXPECT_EQ(Of("a", config).asked, config.budget);
  EXPECT_TRUE(Of("a", config).is_open);
  Settle("a", config, 140);
  EXPECT_EQ(Of("a", config).asked, ItemBudget{.items = 140});
  EXPECT_FALSE(Of("a", config).is_open);
  Settle("a", config, 90);
  EXPECT_EQ(Of("a", config).asked, ItemBudget{.items = 140});
  EXPECT_TRUE(Of("b", config).is_open);
}

TEST_F(RunBudgetTest, WhereAllItemsFitAllAreAskedFromThenOn) {
  const EvaluationConfig config = Config("60s");
  Settle("a", config, std::nullopt);
  EXPECT_EQ(Of("a", config).asked, std::nullopt);
  EXPECT_FALSE(Of("a", config).is_open);
}

TEST_F(RunBudgetTest, AnotherBudgetOrSeedDecidesAnew) {
  Settle("a", Config("60s"), 140);
  EXPECT_TRUE(Of("a", Config("90s")).is_open);
  EXPECT_TRUE(Of("a", Config("60s", 2)).is_open);
  EXPECT_FALSE(Of("a", Config("60s")).is_open);
}

TEST_F(RunBudgetTest, ItemsAreWhatTheyAreAndNothingIsRecordedForThem) {
  EXPECT_EQ(Of("a", Config("500items")).asked, ItemBudget{.items = 500});
  EXPECT_FALSE(Of("a", Config("500items")).is_open);
  EXPECT_EQ(Of("a", EvaluationConfig()).asked, std::nullopt);
  Settle("a", Config("500items"), 500);
  EXPECT_EQ(history_->reader().Value("items:a").value(), std::nullopt);
}

TEST_F(RunBudgetTest, AValueThatSaysNothingCountsAsNone) {
  ASSERT_TRUE(history_->SetValue("items:a", "60s seed 1: many"));
  EXPECT_TRUE(Of("a", Config("60s")).is_open);
}

}  // namespace
}  // namespace couplingd
