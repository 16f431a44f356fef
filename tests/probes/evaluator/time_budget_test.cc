#include "probes/evaluator/time_budget.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "probes/evaluator/evaluation.h"
#include "probes/evaluator/packs.h"
#include "tests/probes/evaluator/tiny_checkpoint.h"
#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

// Every look at it is a while later than the one before.
class TickingClock final : public Clock {
 public:
  explicit TickingClock(milliseconds tick) : tick_(tick) {}
  UnixMillis Now() const override { return clock_.Now(); }
  std::chrono::steady_clock::time_point Steady() const override {
    clock_.Advance(tick_);
    return clock_.Steady();
  }

 private:
  const milliseconds tick_;
  mutable ManualClock clock_{0};
};

Pack LargePack(int items) {
  Pack pack = TinyPack();
  pack.items.resize(1);
  for (int i = 1; i < items; ++i) {
    PackItem& item = pack.items.emplace_back(pack.items.front());
    item.id = fmt::format("item-{}", i);
    const char a = static_cast<char>('a' + i % 26), b = static_cast<char>('a' + i / 26);
    item.contexts = {fmt::format("Q: {}{} {} was {}?\nA:", a, b, b, a)};
  }
  return pack;
}

// A token a character, without a shared beginning.
Questions LargeQuestions(int items) {
  Questions all;
  all.packs = {LargePack(items)};
  all.plans = {MakePlan(all.packs[0], {})};
  for (int item = 0; item < items; ++item) {
    for (int choice = 0; choice < std::ssize(all.packs[0].items[0].choices); ++choice) {
      all.requests.push_back({{item % 50, item / 50, 3, 4 + choice, 5, 6, 7}, 3});
    }
  }
  return all;
}

TEST(ItemsWithin, TakesTheMostItemsThatCostNoMore) {
  const CostModel cost(LoadFixture("llama_gqa").decoder->config());
  const Questions all = LargeQuestions(400);
  const Planning planning{64, 0};
  const auto cost_of = [&](std::int64_t items) {
    return cost.Of(PlanScoring(LimitedRequests(all, items, 1), 64).value().forward);
  };
  EXPECT_EQ(ItemsWithin(cost_of(400), all, 1, planning, cost).value(), 400);
  EXPECT_EQ(ItemsWithin(0, all, 1, planning, cost).value(), 10);
  for (const std::int64_t items : {20, 80, 150, 390}) {
    const std::int64_t taken = ItemsWithin(cost_of(items) * 1.001, all, 1, planning, cost).value();
    EXPECT_LE(taken, items);
    EXPECT_GE(taken, items - items / 10 - 1);
  }
}

TEST(Limited, IsWhatWouldBeAskedWithSoManyItemsFromTheBeginning) {
  const Questions all = LargeQuestions(60);
  const Questions some = Limited(all, 17, 3);
  Pack pack = all.packs[0];
  KeepItems(pack, 17, 3);
  ASSERT_EQ(some.packs[0].items.size(), 17u);
  EXPECT_EQ(PackHash(some.packs[0]), PackHash(pack));
  ASSERT_EQ(some.plans[0].items.size(), 17u);
  std::size_t request = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    EXPECT_EQ(some.plans[0].items[i].id, pack.items[i].id);
    const int item = std::stoi(pack.items[i].id.substr(5));
    for (std::size_t choice = 0; choice < pack.items[i].choices.size(); ++choice, ++request) {
      EXPECT_EQ(some.requests.at(request).tokens[0], item % 50);
      EXPECT_EQ(some.requests.at(request).tokens[1], item / 50);
    }
  }
  EXPECT_EQ(some.requests.size(), request);
}

struct Answer {
  JsonDocument result;
  std::string notes;
  std::optional<std::int64_t> items() const { return FindInt(result, "items", "").value(); }
  std::string ScoresHash() const {
    return GetString((*FindMember(result, "packs"))[0], "scores_hash", "").value();
  }
};

Answer Ask(const EvaluationSettings& settings, const Clock& clock) {
  std::string notes;
  const Result<std::string> result =
      Evaluate(settings, clock, [&](std::string_view frame) -> Status {
        if (frame.contains(R"("topic":"budget")")) notes += frame;
        return {};
      });
  EXPECT_TRUE(result) << result.error().Text();
  return {ParseJson(*result, "result").value(), notes};
}

TEST(TimeBudget, IsSpentOnAsManyItemsAsItsTimeAllows) {
  const TinyCheckpoint tiny;
  EvaluationSettings settings = tiny.Settings(LargePack(200));
  const auto within = [&](milliseconds time) {
    settings.budget = ItemBudget{.time = time};
    return Ask(settings, TickingClock(milliseconds(10)));
  };
  const Answer some = within(milliseconds(700));
  ASSERT_TRUE(some.items());
  EXPECT_GT(*some.items(), 10);
  EXPECT_LT(*some.items(), 200);
  EXPECT_THAT(some.notes, testing::HasSubstr("items of the largest pack fit into 700ms"));
  const Answer more = within(milliseconds(1000));
  ASSERT_TRUE(more.items());
  EXPECT_GT(*more.items(), *some.items() * 5 / 4);
  EXPECT_EQ(within(std::chrono::hours(1)).items(), std::nullopt);

  settings.budget = ItemBudget{.items = some.items()};
  const Answer by_items = Ask(settings, SystemClock());
  EXPECT_EQ(by_items.items(), some.items());
  EXPECT_EQ(by_items.ScoresHash(), some.ScoresHash());
}

TEST(TimeBudget, ThatIsTooShortStillAsksTenItemsAndSaysSo) {
  const TinyCheckpoint tiny;
  EvaluationSettings settings = tiny.Settings(LargePack(40));
  settings.budget = ItemBudget{.time = std::chrono::seconds(1)};
  const Answer answer = Ask(settings, TickingClock(std::chrono::seconds(2)));
  EXPECT_EQ(answer.items(), 10);
  EXPECT_THAT(answer.notes, testing::HasSubstr("10 of the 40 items of the largest pack are asked, "
                                               "more than fit into 1s"));
}

}  // namespace
}  // namespace couplingd
