// Packs built from benchmark files against what lm-eval asked and scored for the same items
// (data/README.md).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/requests.h"
#include "probes/benchmark/samples.h"
#include "probes/benchmark/sources.h"
#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

constexpr const char* kDate = "_2025-01-01T00-00-00.000000.jsonl";

struct Case {
  std::string spec;
  std::vector<std::string> tasks;  // lm-eval's, whose items follow one another in the pack
  std::size_t pack;                // which of the packs
};

std::vector<Case> Cases() {
  return {
      {"truthfulqa=" + Data("truthfulqa.csv"), {"truthfulqa_mc1"}, 0},
      {Data("truthfulqa.csv"), {"truthfulqa_mc2"}, 1},
      {"hellaswag=" + Data("hellaswag_val.jsonl"), {"hellaswag"}, 0},
      {"arc_easy=" + Data("ARC-Easy-Test.jsonl"), {"arc_easy"}, 0},
      {"arc_easy=" + Data("arc_hub.jsonl"), {"arc_easy"}, 0},
      {"winogrande=" + Data("winogrande_dev.jsonl"), {"winogrande"}, 0},
      {"piqa=" + Data("piqa_valid.jsonl") + "," + Data("piqa_valid-labels.lst"), {"piqa"}, 0},
      {"mmlu:2=" + Data("mmlu"), {"mmlu_abstract_algebra", "mmlu_anatomy"}, 0},
  };
}

Pack SamplesOf(const std::string& task) { return Value(LoadPack(Data("samples_" + task + kDate))); }

TEST(Builders, AskWhatLmEvalAsks) {
  for (const Case& test : Cases()) {
    SCOPED_TRACE(test.spec);
    const std::vector<Pack> packs = Value(OpenPacks(test.spec));
    ASSERT_GT(packs.size(), test.pack);
    const Pack& pack = packs[test.pack];
    std::size_t index = 0;
    for (const std::string& task : test.tasks) {
      const Pack samples = SamplesOf(task);
      EXPECT_EQ(samples.name, task);
      EXPECT_EQ(samples.delimiter, pack.delimiter);
      for (const PackItem& expected : samples.items) {
        ASSERT_LT(index, pack.items.size());
        const PackItem& item = pack.items[index++];
        SCOPED_TRACE(item.id);
        EXPECT_EQ(item.choices, expected.choices);
        EXPECT_EQ(item.labels, expected.labels);
        for (std::size_t i = 0; i < item.choices.size(); ++i) {
          EXPECT_EQ(item.ContextOf(i), expected.ContextOf(i));
        }
      }
    }
    EXPECT_EQ(index, pack.items.size());
  }
}

// The log-likelihoods in lm-eval's rows, scored by us, against the metrics in the rows and in the
// results.
TEST(Metrics, AreThoseOfLmEvalOnItsOwnSamples) {
  const JsonDocument results = Value(ParseJsonFile(Data("lm_eval_results.json")));
  for (const Case& test : Cases()) {
    for (const std::string& task : test.tasks) {
      SCOPED_TRACE(task);
      const std::string path = Data("samples_" + task + kDate);
      const Pack pack = Value(LoadPack(path));
      TaskScores scores{.task = task};
      std::vector<JsonDocument> rows;
      ASSERT_TRUE(ForEachLine(path, [&](const JsonValue& row, const std::string&) -> Status {
        std::vector<ChoiceScore> item;
        for (const JsonValue& answer : row["filtered_resps"].GetArray()) {
          item.push_back({.log_likelihood = std::stod(answer[0].GetString()),
                          .is_greedy = std::string(answer[1].GetString()) == "True"});
        }
        scores.scores.push_back(item);
        rows.emplace_back().CopyFrom(row, rows.back().GetAllocator());
        return {};
      }));
      const auto metrics = Value(ComputeMetrics(MakePlan(pack, {}), scores));
      EXPECT_EQ(metrics.back().score.metric, "log_odds");
      std::size_t compared = 0;
      for (const MetricResult& metric : metrics) {
        if (!rows[0].HasMember(metric.score.metric.c_str())) continue;
        ++compared;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          EXPECT_NEAR(metric.per_item[i], rows[i][metric.score.metric.c_str()].GetDouble(), 1e-12);
        }
        const JsonValue& result = results[task.c_str()];
        EXPECT_NEAR(metric.score.value, result[(metric.score.metric + ",none").c_str()].GetDouble(),
                    1e-12);
        const JsonValue& error = result[(metric.score.metric + "_stderr,none").c_str()];
        ASSERT_EQ(metric.score.stderr_value.has_value(), error.IsNumber());
        EXPECT_NEAR(metric.score.stderr_value.value_or(0), error.IsNumber() ? error.GetDouble() : 0,
                    1e-12);
      }
      EXPECT_EQ(compared, rows[0]["metrics"].Size());
    }
  }
}

TEST(Builders, TakeTheSimplifiedLines) {
  const std::string folder = TemporaryFolder();
  Write(folder + "/a.jsonl", R"({"query":"Question: Q?","choices":["x","y"],"gold":1})");
  Write(folder + "/w.jsonl",
        R"({"context_options":["It is Ann","It is Bea"],"continuation":"who sings.","gold":1})");
  for (const char* kind : {"arc_easy", "arc_challenge", "piqa"}) {
    const Pack pack = Value(OpenPacks(fmt::format("{}={}/a.jsonl", kind, folder)))[0];
    EXPECT_EQ(pack.name, kind);
    EXPECT_EQ(pack.items[0].ContextOf(0), "Question: Q?\nAnswer:");
    EXPECT_EQ(pack.Continuation(pack.items[0], 1), " y");
    EXPECT_EQ(pack.items[0].labels, (std::vector{false, true}));
  }
  const Pack twins = Value(OpenPacks("winogrande=" + folder + "/w.jsonl"))[0];
  EXPECT_EQ(twins.items[0].ContextOf(1), "It is Bea");
  EXPECT_EQ(twins.Continuation(twins.items[0], 0), " who sings.");
}

TEST(Builders, ClusterWhatIsNotIndependent) {
  const Pack truthful = Value(OpenPacks(Data("truthfulqa.csv")))[0];
  EXPECT_EQ(truthful.items[1].cluster, "Kitchens");
  const Pack twins = Value(OpenPacks("winogrande=" + Data("winogrande_dev.jsonl")))[0];
  EXPECT_EQ(twins.items[0].cluster, twins.items[1].cluster);
  EXPECT_NE(twins.items[0].cluster, twins.items[2].cluster);
  EXPECT_EQ(Value(OpenPacks("mmlu=" + Data("mmlu")))[0].items[2].cluster, "anatomy");
}

TEST(Builders, NameFileAndLineOfWhatIsWrong) {
  const std::string folder = TemporaryFolder();
  Write(folder + "/t.csv",
        "Category,Question,Best Answer,Correct Answers,Incorrect Answers\na,b,c,,d\n");
  Write(folder + "/quote.csv", "Category,Question\n\"a,b\n");
  Write(folder + "/arc.jsonl",
        R"({"question":"q","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"C"})");
  Write(folder + "/labels.lst", "0\n");
  const std::pair<std::string, std::string> cases[] = {
      {folder + "/t.csv", "t.csv:2: \"Correct Answers\" is empty"},
      {folder + "/quote.csv", "quote.csv:2: a quote is opened and never closed"},
      {"arc_easy=" + folder + "/arc.jsonl", "arc.jsonl:1: \"answerKey\" is \"C\""},
      {"piqa=" + Data("piqa_valid.jsonl") + "," + folder + "/labels.lst",
       "field \"label\" is missing"},
      {"piqa=" + Data("piqa_valid.jsonl"), "valid-labels.lst"},
      {"mmlu:3=" + Data("mmlu"), "3 shots are asked for, 2 are there"},
      {"mmlu:-1=" + Data("mmlu"), "\"-1\" is no number of shots"},
      {"mmlu:9999999999=" + Data("mmlu"), "\"9999999999\" is no number of shots"},
      {"mmlu=" + folder, "/test"},
      {"arc_easy:5=" + Data("arc_hub.jsonl"), "5 shots of arc_easy are drawn from its train split"},
      {"squad=" + Data("arc_hub.jsonl"), "kinds are truthfulqa, hellaswag"},
  };
  for (const auto& [spec, cause] : cases) {
    const auto packs = OpenPacks(spec);
    ASSERT_FALSE(packs) << spec;
    EXPECT_THAT(packs.error().Text(), HasSubstr(cause));
  }
}

TEST(Builders, ReadTheRealItems) {
  const std::string items = std::string(COUPLINGD_SOURCE_DIR) + "/../shared/data/items/";
  if (!RealPath(items)) GTEST_SKIP() << "the real items are not beside the project: " << items;
  const std::pair<std::string, std::size_t> cases[] = {
      {"truthfulqa=truthfulqa.csv", 813},
      {"arc_easy=arc_easy.jsonl", 2376},
      {"winogrande=winogrande.jsonl", 1267},
      {"piqa=piqa.jsonl", 1838},
  };
  for (const auto& [spec, count] : cases) {
    const std::size_t equals = spec.find('=') + 1;
    for (const Pack& pack :
         Value(OpenPacks(spec.substr(0, equals) + items + spec.substr(equals)))) {
      EXPECT_EQ(pack.items.size(), count) << pack.name;
      const std::string folder = TemporaryFolder();
      ASSERT_TRUE(WritePack(pack, folder));
      EXPECT_EQ(PackHash(Value(LoadPack(folder))), PackHash(pack));
    }
  }
}

}  // namespace
}  // namespace couplingd
