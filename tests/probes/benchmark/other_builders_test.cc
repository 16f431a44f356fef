// What is particular to single benchmarks; their prompts are compared in few_shot_test.cc. The
// items here are invented, in the schemas of the benchmarks' own files.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probes/benchmark/benchmark_size.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/requests.h"
#include "probes/benchmark/samples.h"
#include "probes/benchmark/sources.h"
#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class OtherBuilders : public testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& text) {
    Write(folder_ + "/" + name, text);
    return folder_ + "/" + name;
  }
  Pack One(const std::string& kind, const std::string& path) {
    return Value(BuildPacks(kind, {{path}}))[0];
  }
  std::string Refusal(const std::string& kind, const std::string& path) {
    const auto packs = BuildPacks(kind, {{path}});
    return packs ? "" : packs.error().Text();
  }
  const std::string folder_ = TemporaryFolder();
};

// SuperGLUE's wsc.fixed: the original names spans that its text has in another case, with a full
// stop, or with a line break.
TEST_F(OtherBuilders, WscSetsSpansOfTheOriginalRight) {
  const auto line = [](const std::string& noun, const std::string& pronoun) {
    return fmt::format(
        R"({{"text":"The red cat saw Ann . it did n't run ( far ) away","idx":0,"label":true,)"
        R"("target":{{"span1_index":0,"span1_text":"{}","span2_index":6,"span2_text":"{}"}}}})",
        noun, pronoun);
  };
  const std::string expected =
      "Passage: The red cat saw Ann. *it* didn't run (far) away\nQuestion: In the passage above, "
      "does the pronoun \"*it*\" refer to \"*The red cat*\"?\nAnswer:";
  for (const std::string noun : {"The red cat", "the red cat.", "the\\nred cat"}) {
    const Pack pack = One("wsc", File("val.jsonl", line(noun, "It.")));
    EXPECT_EQ(pack.items[0].contexts[0], expected) << noun;
    EXPECT_THAT(pack.items[0].labels, ElementsAre(false, true));
  }
  EXPECT_THAT(Refusal("wsc", File("val.jsonl", line("a dog", "it"))),
              HasSubstr("val.jsonl:1: the span \"A dog\" is not in the text"));
}

TEST_F(OtherBuilders, LogiqaReadsTheBlocksOfItsOriginalFile) {
  const std::string block =
      "\nb\nAll men nap.Bob is a man.\r\nWhat follows?\nA.Bob naps\nB.Bob "
      "runs\nC.Nobody naps\nD.Nothing\n";
  const Pack pack = One("logiqa", File("Test.txt", block + block));
  EXPECT_EQ(pack.items.size(), 2u);
  EXPECT_EQ(pack.items[0].contexts[0],
            "Passage: All men nap. Bob is a man.\nQuestion: What follows?\nChoices:\nA. Bob "
            "naps\nB. Bob runs\nC. Nobody naps\nD. Nothing\nAnswer:");
  EXPECT_THAT(pack.items[0].labels, ElementsAre(false, true, false, false));
  EXPECT_THAT(Refusal("logiqa", File("Short.txt", block + "\na\nb\n")),
              HasSubstr("Short.txt:10: a block of 2 lines"));
  EXPECT_THAT(Refusal("logiqa", File("Letter.txt", "e" + block.substr(2))),
              HasSubstr("Letter.txt:1: the answer is \"e\""));
}

TEST_F(OtherBuilders, SciqReadsAnArrayAndNamesTheEntryThatIsWrong) {
  const std::string good =
      R"({"question":"Q?","distractor1":"a","distractor2":"b","distractor3":"c",)"
      R"("correct_answer":"d","support":""})";
  EXPECT_EQ(One("sciq", File("test.json", "[" + good + ",\n" + good + "]")).items.size(), 2u);
  EXPECT_THAT(Refusal("sciq", File("bad.json", "[" + good + ", {\"question\": \"Q\"}]")),
              HasSubstr("bad.json: entry 2: field \"support\""));
  EXPECT_THAT(Refusal("sciq", File("empty.json", "[]")), HasSubstr("no item in the file"));
  EXPECT_THAT(Refusal("sciq", File("number.json", "[3]")),
              HasSubstr("entry 1: an entry must be a JSON object"));
}

TEST_F(OtherBuilders, GpqaTakesAnswersThatAreMissingAsABlank) {
  const std::string header =
      "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\n";
  const Pack pack = One("gpqa_diamond", File("g.csv", header + "Why?,right,,wrong,worse\n"));
  EXPECT_EQ(pack.name, "gpqa_diamond_zeroshot");
  const std::string& text = pack.items[0].contexts[0];
  EXPECT_THAT(text, testing::StartsWith("What is the correct answer to this question:Why?\n"));
  const auto gold = std::ranges::find(pack.items[0].labels, true) - pack.items[0].labels.begin();
  EXPECT_THAT(text, HasSubstr(fmt::format("({}) right\n", "ABCD"[gold])));
  EXPECT_THAT(text, HasSubstr(")  \n"));
  EXPECT_THAT(Refusal("gpqa_diamond", File("h.csv", "Question\nWhy?\n")),
              HasSubstr("Incorrect Answer 1"));
}

TEST_F(OtherBuilders, CrowsPairsCompareWholeSentences) {
  const Pack pack = One("crows_pairs_english",
                        File("c.csv", ",sent_more,sent_less,bias_type\n0,More.,Less.,age\n"));
  EXPECT_EQ(pack.items[0].contexts[0], "");
  EXPECT_EQ(pack.Continuation(pack.items[0], 0), "More.");
  EXPECT_EQ(pack.items[0].cluster, "age");
  const auto values = [&](double more, double less) {
    const TaskScores scores{.task = pack.name, .scores = {{{more, false}, {less, false}}}};
    std::vector<double> result;
    for (const MetricResult& metric : Value(ComputeMetrics(MakePlan(pack, {}), scores))) {
      result.push_back(metric.score.value);
    }
    return result;
  };
  EXPECT_THAT(values(-2, -3), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(values(-3, -2), ElementsAre(0, 1, 1, -1));
  EXPECT_THAT(values(-2, -2), ElementsAre(0, 1, 0, 0));
}

TEST_F(OtherBuilders, LambadaCountsTheTextsThatTheModelWouldHaveWritten) {
  const Pack pack =
      One("lambada_openai", File("l.jsonl", "{\"text\":\"so it goes on\"}\n{\"text\":\"a b\"}\n"));
  EXPECT_EQ(pack.items[0].contexts[0], "so it goes");
  EXPECT_EQ(pack.Continuation(pack.items[0], 0), " on");
  const TaskScores scores{.task = pack.name, .scores = {{{-1, true}}, {{-2, false}}}};
  const auto metrics = Value(ComputeMetrics(MakePlan(pack, {}), scores));
  ASSERT_EQ(metrics.size(), 1u);
  EXPECT_EQ(metrics[0].score.metric, "acc");
  EXPECT_EQ(metrics[0].score.value, 0.5);
  EXPECT_THAT(MetricNamesOf(pack.name), ElementsAre("acc"));
  ASSERT_TRUE(WritePack(pack, folder_ + "/pack"));
  EXPECT_EQ(PackHash(Value(LoadPack(folder_ + "/pack"))), PackHash(pack));
  const std::string samples = folder_ + "/samples.jsonl";
  Write(samples, Value(SampleRows(pack, scores, metrics)));
  EXPECT_EQ(Value(ReadSampleScores(samples)).scores.scores[1][0].log_likelihood, -2);
  EXPECT_THAT(Refusal("lambada_openai", File("w.jsonl", R"({"text":"word"})")),
              HasSubstr("is one word"));
}

TEST_F(OtherBuilders, OneChoiceIsNoItemOfOtherTasks) {
  const std::string path = File("own.jsonl", R"({"context":"a","choices":[" b"],"gold":0})");
  const auto pack = LoadPack(path);
  ASSERT_FALSE(pack);
  EXPECT_THAT(pack.error().Text(), HasSubstr("1 choices; an item needs two"));
}

TEST_F(OtherBuilders, KindsThatAreGradedOnGeneratedTextAreRefusedByName) {
  for (const char* kind : {"ifeval", "swe_bench_verified", "hle", "truthfulqa_gen", "gsm8k"}) {
    const auto packs = BuildPacks(kind, {{folder_}});
    ASSERT_FALSE(packs) << kind;
    EXPECT_EQ(packs.error().kind, ErrorKind::kUnsupported);
    EXPECT_THAT(packs.error().Text(), HasSubstr(std::string(kind) + " is graded on what a model"));
    EXPECT_THAT(packs.error().Text(), HasSubstr("missing: "));
  }
}

TEST_F(OtherBuilders, APartOfABenchmarkIsSaidToBeOne) {
  const Pack part = One("arc_easy", Data("arc_hub.jsonl"));
  EXPECT_THAT(SizeWarning(part), HasSubstr("3 items, arc_easy has 2376"));
  Pack whole = part;
  whole.items.resize(2376, part.items[0]);
  EXPECT_EQ(SizeWarning(whole), "");
  whole.name = "mine";
  EXPECT_EQ(SizeWarning(whole), "");
}

TEST_F(OtherBuilders, KnowTheSizeOfEveryBenchmarkTheyBuild) {
  for (const char* task :
       {"truthfulqa_mc1", "truthfulqa_mc2", "hellaswag", "arc_easy", "arc_challenge", "winogrande",
        "piqa", "mmlu", "sciq", "logiqa", "wsc", "crows_pairs_english", "crows_pairs_french",
        "gpqa_diamond_zeroshot", "lambada_openai"}) {
    EXPECT_TRUE(BenchmarkSize(task)) << task;
  }
}

}  // namespace
}  // namespace couplingd
