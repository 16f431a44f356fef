#include "probes/evaluator/packs.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

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

TEST(KeepItems, TakesTheShareOfEveryClusterAndPartsNoTwins) {
  Pack pack;
  for (int i = 0; i < 60; ++i) {
    pack.items.push_back({.id = "law-" + std::to_string(i), .cluster = "law"});
    if (i < 20) pack.items.push_back({.id = "art-" + std::to_string(i), .cluster = "art"});
    if (i < 20) {
      for (const char* twin : {"-1", "-2"}) {
        const std::string name = "twin-" + std::to_string(i);
        pack.items.push_back({.id = name + twin, .cluster = name});
      }
    }
  }
  for (std::int64_t seed = 0; seed < 20; ++seed) {
    Pack kept = pack;
    KeepItems(kept, 30, seed);
    std::map<std::string, int> clusters;
    for (const PackItem& item : kept.items) ++clusters[item.cluster];
    int twins = 0;
    for (const auto& [cluster, count] : clusters) {
      if (!cluster.starts_with("twin")) continue;
      EXPECT_EQ(count, 2) << cluster;
      twins += count;
    }
    EXPECT_EQ(twins, 10);
    EXPECT_EQ(clusters["law"], 15);
    EXPECT_EQ(clusters["art"], 5);
  }
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
