#include "probes/evaluator/packs.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/probes/evaluator/tiny_checkpoint.h"

namespace couplingd {
namespace {

std::set<std::string> Ids(const Pack& pack) {
  std::set<std::string> ids;
  for (const PackItem& item : pack.items) ids.insert(item.id);
  return ids;
}

TEST(KeepItems, TakesTheSameItemsOfEveryPackOverThem) {
  Pack first = TinyPack();
  Pack second = TinyPack();
  std::reverse(second.items.begin(), second.items.end());
  KeepItems(first, 4, 7);
  KeepItems(second, 4, 7);
  EXPECT_EQ(first.items.size(), 4u);
  EXPECT_EQ(Ids(first), Ids(second));
  Pack other = TinyPack();
  KeepItems(other, 4, 8);
  EXPECT_NE(Ids(first), Ids(other));
}

TEST(KeepItems, KeepsAllOfASmallPack) {
  Pack pack = TinyPack();
  KeepItems(pack, 10, 1);
  EXPECT_EQ(pack.items.size(), 10u);
}

TEST(OpenAllPacks, RefusesTwoOfOneName) {
  const TinyCheckpoint tiny;
  const std::string directory = tiny.Write(TinyPack());
  const std::vector<std::string> twice = {directory, directory};
  const auto packs = OpenAllPacks(twice);
  ASSERT_FALSE(packs);
  EXPECT_EQ(packs.error().kind, ErrorKind::kUsage);
  EXPECT_FALSE(OpenAllPacks({}));
}

}  // namespace
}  // namespace couplingd
