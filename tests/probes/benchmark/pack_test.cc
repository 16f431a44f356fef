#include "probes/benchmark/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/requests.h"
#include "probes/benchmark/samples.h"
#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Pack Example() {
  Pack pack{.name = "mine", .version = "3", .metrics = {"acc_norm", "log_odds"}, .delimiter = " "};
  pack.fewshot = {.n = 2, .preset = "lm-eval", .seed = 1234};
  pack.sources = {"a.csv"};
  pack.items = {
      {.id = "1",
       .cluster = "c",
       .contexts = {"Q: \"ß\"\n"},
       .choices = {"a", "b", "c"},
       .labels = {true, true, false}},
      {.id = "2", .contexts = {"x", "y"}, .choices = {"z", "z"}, .labels = {false, true}},
  };
  return pack;
}

TEST(Pack, ComesBackFromItsFolder) {
  const Pack pack = Example();
  const std::string folder = TemporaryFolder() + "/pack";
  ASSERT_TRUE(WritePack(pack, folder));
  const Pack read = Value(LoadPack(folder));
  EXPECT_EQ(PackHash(read), PackHash(pack));
  EXPECT_EQ(read.sources, pack.sources);
  EXPECT_EQ(read.fewshot.seed, 1234);
  EXPECT_EQ(read.items[0].labels, pack.items[0].labels);
  EXPECT_EQ(read.items[1].ContextOf(1), "y");
}

TEST(Pack, HashFollowsTheQuestionsAndNotTheirSource) {
  Pack pack = Example();
  const std::string hash = PackHash(pack);
  EXPECT_EQ(hash.size(), 32u);
  pack.sources = {"b.csv"};
  EXPECT_EQ(PackHash(pack), hash);
  pack.items[1].labels = {true, false};
  EXPECT_NE(PackHash(pack), hash);
}

TEST(Pack, ReadsTheUsersOwnItemsAsTheyStand) {
  const std::string path = TemporaryFolder() + "/own.items.jsonl";
  Write(path,
        "\xEF\xBB\xBF{\"context\": \"One and one are\", \"choices\": [\" two\", \"three\"], "
        "\"gold\": 0}\r\n\n"
        "{\"context\": \"Up is\", \"choices\": [\" down\", \" up\", \" not down\"], \"labels\": "
        "[0, 1, true], "
        "\"meta\": {\"by\": \"me\"}}\n"
        "{\"context\": \"One and one are\", \"choices\": [\" two\", \"three\"], \"gold\": 0}\n");
  const Pack pack = Value(LoadPack(path));
  EXPECT_EQ(pack.name, "own");
  EXPECT_EQ(pack.delimiter, "");
  EXPECT_EQ(pack.Continuation(pack.items[0], 1), "three");
  EXPECT_THAT(pack.items[1].labels, ElementsAre(false, true, true));
  EXPECT_THAT(pack.metrics, ElementsAre("true_mass", "acc"));
  EXPECT_EQ(pack.items[2].id, pack.items[0].id + "-2");
}

TEST(Pack, RefusesBadFilesByFileLineAndCause) {
  const std::map<std::string, std::string> causes = {
      {"empty", "empty.jsonl: no item in the file"},
      {"only_blank_lines", "no item in the file"},
      {"gold_out_of_range", ":1: field \"gold\" is 2, but the 2 choices count from 0"},
      {"gold_negative", ":1: field \"gold\" is -1"},
      {"gold_no_number", ":1: field \"gold\" must be an integer"},
      {"no_gold", ":1: give either \"gold\" or \"labels\""},
      {"gold_and_labels", ":1: give either \"gold\" or \"labels\""},
      {"labels_too_few", ":1: field \"labels\" must be a list of 2 labels"},
      {"labels_all_right", "every choice is labelled as right"},
      {"labels_none_right", "no choice is labelled as right"},
      {"empty_continuation", "choice 1 is empty"},
      {"one_choice", "1 choices; an item needs two"},
      {"choice_no_text", ":1: field \"choices\" must be a list of strings"},
      {"escaped_nul", ":2: item"},
      {"raw_nul", ":1: a NUL byte"},
      {"not_utf8", ":1: text that is not UTF-8"},
      {"id_twice", ":2: the id \"1\" stands twice"},
      {"unknown_field", ":1: unknown field \"gould\""},
      {"truncated_line", "truncated_line.jsonl:1"},
      {"contexts_of_other_number", "3 contexts for 2 choices"},
      {"benchmark_of_unknown_kind", "is named with its kind"},
      {"line_no_object", "neither an item"},
      {"sample_with_one_request", ":1: doc_id 0 has 1 requests"},
      {"sample_target_out_of_range", ":1: \"target\" names no choice"},
      {"sample_doc_twice", ":2: doc_id 0 stands twice"},
      {"sample_of_generation", ":1: an entry of \"arguments\" is no pair"},
  };
  const auto files = Value(ListDirectory(Data("bad")));
  EXPECT_EQ(files.size(), causes.size());
  for (const auto& [name, cause] : causes) {
    const auto pack = LoadPack(Data("bad/" + name + ".jsonl"));
    ASSERT_FALSE(pack) << name;
    EXPECT_THAT(pack.error().Text(), HasSubstr(cause)) << name;
    EXPECT_THAT(pack.error().Text(), HasSubstr(name)) << name;
  }
}

TEST(Pack, RefusesAPackFileThatSaysTooMuchOrTooLittle) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"version":"1","metrics":["acc"]})", "field \"name\" is missing"},
      {R"({"name":"a.b","version":"1","metrics":["acc"]})", "cannot be a task's name"},
      {R"({"name":"a","version":"1","metrics":["bleu"]})", "unknown metric \"bleu\""},
      {R"({"name":"a","version":"1","metrics":[]})", "names no metric"},
      {R"({"name":"a","version":"1","metrics":["acc"],"shots":1})", "unknown field \"shots\""},
      {R"({"name":"a","version":"1","metrics":["acc"],"fewshot":{"n":-1}})", "outside 0 to 1000"},
  };
  const std::string folder = TemporaryFolder();
  Write(folder + "/items.jsonl", R"({"context":"a","choices":["b","c"],"gold":0})");
  for (const auto& [text, cause] : cases) {
    Write(folder + "/pack.json", text);
    const auto pack = LoadPack(folder);
    ASSERT_FALSE(pack) << text;
    EXPECT_THAT(pack.error().Text(), HasSubstr(cause));
  }
  EXPECT_EQ(LoadPack(folder + "/none").error().kind, ErrorKind::kNotFound);
}

TEST(Samples, AreReadBackAsTheSamePack) {
  const Pack pack = Example();
  const TaskScores scores{
      .task = "mine",
      .scores = {{{-1, true}, {-2.5, false}, {-1e-7, false}}, {{-3, false}, {-4, false}}}};
  const auto metrics = Value(ComputeMetrics(MakePlan(pack, {}), scores));
  const std::string path = TemporaryFolder() + "/rows.jsonl";
  Write(path, Value(SampleRows(pack, scores, metrics)));
  const Pack read = Value(LoadPack(path));
  EXPECT_EQ(read.name, "mine");
  ASSERT_EQ(read.items.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.items[i].labels, pack.items[i].labels);
    EXPECT_EQ(read.items[i].contexts, pack.items[i].contexts);
    for (std::size_t choice = 0; choice < pack.items[i].choices.size(); ++choice) {
      EXPECT_EQ(read.Continuation(read.items[i], choice), pack.Continuation(pack.items[i], choice));
    }
  }
}

TEST(Samples, AreWrittenAsLmEvalWritesThem) {
  const Pack pack = Example();
  const TaskScores scores{
      .task = "mine",
      .scores = {{{-1, true}, {-2.5, false}, {-1e-7, false}}, {{-3, false}, {-4, false}}}};
  const auto metrics = Value(ComputeMetrics(MakePlan(pack, {}), scores));
  const std::string rows = Value(SampleRows(pack, scores, metrics));
  const JsonDocument row = Value(ParseJson(rows.substr(0, rows.find('\n')), "row"));
  EXPECT_EQ(row["doc_id"].GetInt(), 0);
  EXPECT_STREQ(row["target"].GetString(), "0");
  EXPECT_STREQ(row["arguments"]["gen_args_2"]["arg_1"].GetString(), " c");
  EXPECT_STREQ(row["resps"][0][0][0].GetString(), "-1.0");
  EXPECT_STREQ(row["resps"][2][0][0].GetString(), "-1e-07");
  EXPECT_STREQ(row["filtered_resps"][0][1].GetString(), "True");
  EXPECT_STREQ(row["metrics"][0].GetString(), "acc_norm");
  EXPECT_EQ(row["acc_norm"].GetDouble(), 0.0);
  // Python: sha256(json.dumps({"id": "1", "cluster": "c", "context": 'Q: "ß"\n', "choices": ["a",
  // "b", "c"], "labels": [1, 1, 0]}, indent=2, ensure_ascii=False)), sha256('Q: "ß"\n'),
  // sha256("0")
  EXPECT_STREQ(row["doc_hash"].GetString(),
               "9e583e47166a8d7d3377e68c26ab51594a14f0fab3d7b3ce30e3b08dd73c630a");
  EXPECT_STREQ(row["prompt_hash"].GetString(),
               "a32b4296ccf330a57196bfceeb5364cf948eee3963728456ddf36b1175f014c0");
  EXPECT_STREQ(row["target_hash"].GetString(),
               "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9");
}

}  // namespace
}  // namespace couplingd
