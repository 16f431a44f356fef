// Shots against those that lm-eval drew for the same files (data/prompts), and how they are
// refused.
#include "probes/benchmark/few_shot.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/python_random.h"
#include "probes/benchmark/sources.h"
#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(PythonRandom, DrawsTheNumbersOfPython) {
  PythonRandom random(1234);  // random.Random(1234)
  EXPECT_THAT(random.Sample(1119, 25),
              ElementsAre(902, 239, 15, 185, 71, 171, 201, 726, 484, 35, 63, 32, 708, 991, 949, 304,
                          186, 374, 234, 29, 1030, 996, 511, 132, 1108));
  EXPECT_THAT(random.Sample(30, 25), ElementsAre(29, 14, 2, 19, 21, 27, 16, 18, 1, 8, 17, 24, 9, 15,
                                                 11, 4, 3, 10, 13, 7, 20, 0, 25, 26, 22));
  // Python changes its way of drawing between pools of these sizes.
  EXPECT_THAT(random.Sample(85, 7), ElementsAre(18, 60, 48, 21, 6, 9, 75));
  EXPECT_THAT(random.Sample(86, 7), ElementsAre(63, 20, 9, 71, 27, 18, 3));
  std::vector<int> list = {0, 1, 2, 3, 4, 5};
  random.Shuffle(list);
  EXPECT_THAT(list, ElementsAre(4, 3, 5, 1, 0, 2));
}

TEST(PythonRandom, ContinuesItsStreamAcrossRefills) {
  PythonRandom random(1234);
  std::uint32_t last = 0;
  for (int i = 0; i < 700; ++i) last = random.Below(1u << 31);
  EXPECT_EQ(last, 1736925198u);
}

std::vector<std::string> Strings(const JsonValue& list) {
  std::vector<std::string> strings;
  for (const JsonValue& value : list.GetArray())
    strings.push_back(Data("prompts/") + value.GetString());
  return strings;
}

TEST(FewShot, PromptsAreThoseOfLmEvalByteForByte) {
  std::size_t compared = 0;
  ASSERT_TRUE(ForEachLine(
      Data("prompts/cases.jsonl"), [&](const JsonValue& test, const std::string& where) -> Status {
        SCOPED_TRACE(where);
        BuildOptions options{.preset = TRY(GetString(test, "preset", where))};
        if (const auto shots = TRY(FindInt(test, "shots", where))) options.shots = *shots;
        options.shots_from = Strings(test["shots_from"]);
        const std::string kind = TRY(GetString(test, "kind", where));
        for (const Pack& pack : TRY(BuildPacks(kind, Strings(test["files"]), options))) {
          const JsonValue& prompts = test["prompts"][pack.name.c_str()];
          rapidjson::SizeType index = 0;
          for (const PackItem& item : pack.items) {
            for (std::size_t choice = 0; choice < item.choices.size(); ++choice, ++compared) {
              if (index == prompts.Size()) return BadItem(where, "more prompts than lm-eval's");
              const JsonValue& prompt = prompts[index++];
              EXPECT_EQ(item.ContextOf(choice), prompt[0].GetString());
              EXPECT_EQ(pack.Continuation(item, choice), prompt[1].GetString());
            }
          }
          EXPECT_EQ(index, prompts.Size());
        }
        return {};
      }));
  EXPECT_GT(compared, 200u);
}

class Shots : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = TemporaryFolder();
    std::string pool;
    for (int i = 0; i < 12; ++i) pool += fmt::format("{}\n", Line(fmt::format("pool {}", i)));
    Write(folder_ + "/pool.jsonl", pool);
    Write(folder_ + "/items.jsonl", Line("one") + "\n" + Line("two") + "\n");
  }
  static std::string Line(const std::string& goal) {
    return fmt::format(R"({{"goal":"{}","sol1":"x","sol2":"y","label":1}})", goal);
  }
  Result<std::vector<Pack>> Build(const BuildOptions& options, const std::string& kind = "piqa") {
    return BuildPacks(kind, {{folder_ + "/items.jsonl"}}, options);
  }
  std::string folder_;
};

TEST_F(Shots, StandInThePackAndLeaveIdsAsTheyAre) {
  const Pack bare = Value(Build({}))[0];
  EXPECT_EQ(bare.fewshot.n, 0);
  EXPECT_EQ(bare.fewshot.preset, "lm-eval");
  EXPECT_FALSE(bare.fewshot.seed);
  const Pack pack = Value(Build({.shots = 3, .shots_from = {folder_ + "/pool.jsonl"}}))[0];
  EXPECT_EQ(pack.fewshot.n, 3);
  EXPECT_EQ(pack.fewshot.seed, 1234);
  EXPECT_THAT(pack.sources, ElementsAre("items.jsonl", "shots: pool.jsonl"));
  EXPECT_EQ(pack.items[0].id, bare.items[0].id);
  EXPECT_NE(PackHash(pack), PackHash(bare));
  EXPECT_THAT(pack.items[1].contexts[0], testing::EndsWith("\n\nQuestion: two\nAnswer:"));
  EXPECT_THAT(pack.items[1].contexts[0], testing::StartsWith("Question: pool "));
}

TEST_F(Shots, AnItemIsNeverItsOwnShot) {
  const Pack pack = Value(Build({.shots = 1, .shots_from = {folder_ + "/items.jsonl"}}))[0];
  EXPECT_EQ(pack.items[0].contexts[0], "Question: two\nAnswer: y\n\nQuestion: one\nAnswer:");
  EXPECT_EQ(pack.items[1].contexts[0], "Question: one\nAnswer: y\n\nQuestion: two\nAnswer:");
}

TEST_F(Shots, ThatCannotBeTakenAreRefusedWithTheReason) {
  const std::string pool = folder_ + "/pool.jsonl";
  const std::tuple<std::string, BuildOptions, ErrorKind, std::string> cases[] = {
      {"piqa", {.shots = 3}, ErrorKind::kUsage, "drawn from its train split, which is not named"},
      {"piqa", {.shots_from = {pool}}, ErrorKind::kUsage, "no shots of piqa are asked for"},
      {"piqa", {.shots = -1}, ErrorKind::kUsage, "0 to 1000"},
      {"piqa",
       {.shots = 12, .shots_from = {pool}},
       ErrorKind::kInvalidData,
       "pool.jsonl: 13 rows are needed for 12 shots, 12 are there"},
      {"piqa",
       {.preset = "leaderboard-v1", .shots_from = {pool}},
       ErrorKind::kUsage,
       "had no piqa"},
      {"piqa",
       {.preset = "leaderboard-v2"},
       ErrorKind::kUsage,
       "presets are lm-eval and leaderboard-v1"},
      {"winogrande", {.preset = "leaderboard-v1", .shots = 3}, ErrorKind::kUsage, "takes 5 shots"},
      {"truthfulqa", {.shots = 5}, ErrorKind::kUsage, "no shots beyond its own"},
      {"arc_easy",
       {.shots = 2, .shots_from = {pool, pool}},
       ErrorKind::kUsage,
       "come from 1 file, 2 given"},
      {"piqa", {.shots = 2, .shots_from = {folder_ + "/absent"}}, ErrorKind::kNotFound, "absent"},
  };
  for (const auto& [kind, options, error, cause] : cases) {
    const auto packs = Build(options, kind);
    ASSERT_FALSE(packs) << kind << ": " << cause;
    EXPECT_EQ(packs.error().kind, error) << cause;
    EXPECT_THAT(packs.error().Text(), HasSubstr(cause));
  }
}

TEST_F(Shots, OfMmluAreTheFirstOfItsDevFilesOrOfTheFolderNamed) {
  const Pack pack = Value(
      BuildPacks("mmlu", {{Data("mmlu")}}, {.shots = 2, .shots_from = {Data("mmlu/dev")}}))[0];
  const Pack same = Value(BuildPacks("mmlu", {{Data("mmlu")}}, {.shots = 2}))[0];
  EXPECT_EQ(PackHash(pack), PackHash(same));
  EXPECT_FALSE(pack.fewshot.seed);
  EXPECT_THAT(
      pack.items[0].contexts[0],
      testing::StartsWith("The following are multiple choice questions (with answers) about "
                          "abstract algebra.\n\nIs zero,"));
  const auto bad = BuildPacks("mmlu", {{Data("mmlu")}}, {.preset = "leaderboard-v1"});
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().Text(), HasSubstr("5 shots are asked for, 2 are there"));
}

}  // namespace
}  // namespace couplingd
