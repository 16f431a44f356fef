#include "records/item_budget.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(ItemBudget, IsANumberOfItemsOrATime) {
  EXPECT_EQ(ParseItemBudget("500items").value(), ItemBudget{.items = 500});
  EXPECT_EQ(ParseItemBudget("60s").value(), ItemBudget{.time = std::chrono::seconds(60)});
  EXPECT_EQ(ParseItemBudget("1h30m").value(), ItemBudget{.time = std::chrono::minutes(90)});
  for (const char* text : {"500items", "1m", "1h30m"}) {
    EXPECT_EQ(FormatItemBudget(ParseItemBudget(text).value()), text);
  }
}

TEST(ItemBudget, IsNothingElse) {
  for (const char* text :
       {"", "500", "items", "0items", "-3items", "+3items", "3 items", "1.5items",
        "99999999999999999999items", "999ms", "0s", "-60s", "soon"}) {
    EXPECT_FALSE(ParseItemBudget(text)) << text;
  }
}

}  // namespace
}  // namespace couplingd
